"""Layers timed one by one: sums by hand, what is refused, the devices, and the command on a sample."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import framework  # noqa: E402
from speed import layer_costs, layers  # noqa: E402
from speed.files import read  # noqa: E402
from speed.peers import NUMPY, REFCONV  # noqa: E402
from speed.timed import CPU, GPU, Layer, Untimed  # noqa: E402
from speed.timing import Measured  # noqa: E402

from refconv import formats  # noqa: E402
from refconv.compare.recorded import Seen  # noqa: E402

SAMPLES = Path(formats.__file__).parents[1] / "samples"


def layer(name: str, type: str, seconds: Iterable[float], columns: Iterable[str] = (REFCONV, NUMPY, CPU)) -> Layer:
    measured = {c: Measured(s, s * 0.9, s * 1.1) for c, s in zip(columns, seconds, strict=True)}
    return Layer("m", name, type, (1, 2, 3), measured)


LAYERS = [layer("a", "Conv2D", (0.004, 0.04, 0.002)), layer("b", "Conv2D", (0.002, 0.01, 0.001)), layer(
    "c", "Add", (0.001, 0.001, 0.002, 0.0005), (REFCONV, NUMPY, CPU, GPU)
)]  # fmt: skip


def test_sums_and_ratios_by_type() -> None:
    found = layer_costs.grouped(LAYERS, lambda one: one.type)
    assert found["Conv2D"]["layers"] == 2
    assert found["Conv2D"]["seconds"] == pytest.approx({REFCONV: 0.006, NUMPY: 0.05, CPU: 0.003})
    assert found["Conv2D"]["times"] == pytest.approx({CPU: 2.0})
    assert found["Add"]["times"] == pytest.approx({CPU: 0.5, GPU: 2.0})


def test_a_column_that_some_layers_lack_is_not_summed() -> None:
    (whole,) = layer_costs.grouped(LAYERS, lambda one: one.model).values()
    assert set(whole["seconds"]) == {REFCONV, NUMPY, CPU}
    table = layer_costs.totals(layer_costs.grouped(LAYERS, lambda one: one.type), "type")
    assert table.heads == ["type", "layers", REFCONV, NUMPY, CPU, GPU, "refconv / CPU", "refconv / GPU"]
    assert table.rows == [
        ["Conv2D", "2", "6.00", "50.00", "3.00", "–", "2.0", "–"],
        ["Add", "1", "1.00", "1.00", "2.00", "0.50", "0.5", "2.0"],
    ]


def test_the_slowest_come_first() -> None:
    table = layer_costs.slowest(LAYERS, 2)
    assert [row[0] for row in table.rows] == ["m a", "m b"]
    assert table.rows[0][1:4] == ["Conv2D", "1×2×3", "4.00 ±0.40"]


def test_a_gpu_is_timed_where_there_is_one_and_never_invented() -> None:
    def pretend(*found: str) -> SimpleNamespace:
        config = SimpleNamespace(
            list_physical_devices=lambda kind: list(found),
            experimental=SimpleNamespace(get_device_details=lambda one: {"device_name": f"model of {one}"}),
        )
        test = SimpleNamespace(experimental=SimpleNamespace(sync_devices=lambda: None))
        return SimpleNamespace(config=config, test=test)

    assert [d.name for d in layers.devices(pretend())] == [CPU]
    assert layers.gpu(pretend()) == "no GPU"
    assert [(d.name, d.place) for d in layers.devices(pretend("first"))] == [(CPU, "/CPU:0"), (GPU, "/GPU:0")]
    assert layers.gpu(pretend("first")) == "model of first"


def test_a_peer_that_computes_another_layer_is_refused() -> None:
    graph = formats.load(SAMPLES / "digits.keras")
    node = next(node for node in graph.nodes if node.type == "ReLU")
    x = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 4, 4, 4)
    seen = Seen((x,), (np.maximum(x, 0),), {}, {})
    assert set(layers.timed(node, seen, {CPU: lambda: np.maximum(x, 0)}, 1)) == {REFCONV, NUMPY, CPU}
    with pytest.raises(ValueError, match="not the layer"):
        layers.timed(node, seen, {CPU: lambda: x}, 1)


@pytest.mark.parametrize(
    ("name", "type", "count"),
    [("digits.keras", "Conv2D", 13), pytest.param("digits_qkeras.h5", "QConv2D", 10, marks=pytest.mark.slow)],
)
def test_command(name: str, type: str, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "framework.json", tmp_path / "framework.md"
    files = ["--json", str(written[0]), "--markdown", str(written[1])]
    framework.main([str(SAMPLES / name), "--quick", "--batch", "2", *files])
    told = json.loads(written[0].read_text())
    assert told["not_timed"] == []
    assert told["models"][name]["layers"] == len(told["layers"]) == count
    assert told["models"][name]["times"][CPU] > 0
    assert all({REFCONV, NUMPY, CPU} <= set(one["seconds"]) for one in told["layers"])
    assert next(one for one in told["layers"] if one["type"] == type)["shape"] == [2, 8, 8, 8]
    assert type in told["types"]
    assert f"| {name} | {count} |" in written[1].read_text()
    assert told["gpu"] in capsys.readouterr().out


def test_what_cannot_be_called_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "find_layer", lambda model, path: None)
    (file,), _ = read({"digits": SAMPLES / "digits.keras"})
    found = list(layers.layers(file, 1, 1))
    assert len(found) == 13
    assert all(isinstance(one, Untimed) and "operation of the graph" in one.reason for one in found)
