"""Layers and models of a user's own: refused, run in the worker alone, unverified, and judged by their reference."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.captured import capture
from support.live import PACKAGES

import refconv
from refconv import formats
from refconv.errors import BadInput, FrameworkError, UnreadableModel
from refconv.formats.refusals import refuse_code
from refconv.graph import Graph
from refconv.numerics.enclosure import Enclosure
from refconv.ops.registered import forget
from refconv.ops.toolkit import Toolkit
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict
from refconv.trace import Trace

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
RIGHT = (Verdict.WITHIN, Verdict.EXACT)

CODE = """
import os
from pathlib import Path
import {keras} as keras

MARK = os.environ.get("REFCONV_TEST_MARK")
if MARK:
    Path(MARK).write_text(str(os.getpid()))

@keras.saving.register_keras_serializable("mine")
class Scale(keras.layers.Layer):
    def __init__(self, power=1, **rest):
        super().__init__(**rest)
        self.power = power

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="uniform")
        self.shift = self.add_weight(name="shift", shape=(shape[-1],), initializer="uniform")

    def call(self, x):
        for _ in range(self.power):
            x = x * self.scale
        return x + self.shift

    def get_config(self):
        return {{**super().get_config(), "power": self.power}}

@keras.saving.register_keras_serializable("mine")
class Two(keras.Model):
    def __init__(self, units=5, **rest):
        super().__init__(**rest)
        self.units = units
        self.first = keras.layers.Dense(units, activation="tanh")
        self.second = Scale(2)

    def call(self, x):
        return self.second(self.first(x))

    def get_config(self):
        return {{**super().get_config(), "units": self.units}}
"""

Forward = Callable[[Mapping[str, Any], Mapping[str, np.ndarray], Sequence[Enclosure], Toolkit], Enclosure]


def scale(config: Any, weights: Any, inputs: Any, ops: Toolkit) -> Enclosure:
    (x,), (factor, shift) = inputs, weights.values()
    for _ in range(config["power"]):
        x = ops.multiply(x, factor)
    return ops.add(x, shift)


def once(config: Any, weights: Any, inputs: Any, ops: Toolkit) -> Enclosure:
    """Wrong: `power` is left out."""
    factor, shift = weights.values()
    return ops.add(ops.multiply(inputs[0], factor), shift)


def two(config: Any, weights: Any, inputs: Any, ops: Toolkit) -> Enclosure:
    kernel, bias, factor, shift = in_order(weights)
    y = ops.activation("tanh", ops.add(ops.matmul(inputs[0], kernel), bias))
    return ops.add(ops.multiply(ops.multiply(y, factor), factor), shift)


def relu_instead(config: Any, weights: Any, inputs: Any, ops: Toolkit) -> Enclosure:
    kernel, bias, factor, shift = in_order(weights)
    y = ops.activation("relu", ops.add(ops.matmul(inputs[0], kernel), bias))
    return ops.add(ops.multiply(ops.multiply(y, factor), factor), shift)


def in_order(weights: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Those of the first layer, then of the second: versions of Keras name their groups differently."""
    dense = [w for w in weights.values() if w.ndim == 2]
    names = list(weights)
    first = next(name.rpartition("/")[0] for name in names if weights[name] is dense[0])
    return [weights[n] for n in names if n.startswith(first)] + [weights[n] for n in names if not n.startswith(first)]


@pytest.fixture
def registered() -> Iterator[Callable[[str, Forward], None]]:
    names: list[str] = []

    def register(name: str, forward: Forward) -> None:
        names.append(name)
        refconv.register(name, forward)

    yield register
    for name in names:
        forget(name)


class Saved:
    """A file with a user's classes, their code, and what the worker recorded of it."""

    def __init__(self, major: int, folder: Path, make: Callable[[Any, Any], Any], ending: str = ".keras") -> None:
        self.major, self.path, self.code = major, folder / f"model{ending}", folder / f"mine_{major}.py"
        self.code.write_text(CODE.format(keras=PACKAGES[major]))
        name = f"made_{major}_{folder.name}"  # under another name than the one that the worker gives it
        spec = import_module("importlib.util").spec_from_file_location(name, self.code)
        module = import_module("importlib.util").module_from_spec(spec)
        spec.loader.exec_module(module)
        model = make(import_module(PACKAGES[major]), module)
        model(X)
        rng = np.random.default_rng(1)
        model.set_weights([rng.normal(size=np.shape(w)).astype(np.float32) for w in model.get_weights()])
        model.save(self.path)

    @property
    def graph(self) -> Graph:
        return formats.load(self.path, subclassed=True)

    def recorded(self) -> Trace:
        return capture(self.path, [X], keras=self.major, code=[str(self.code)], whole=self.graph.opaque)

    def judged(self, trace: Trace) -> CheckResult:
        return verify(self.graph, trace, [X], Options())


def with_a_layer(keras: Any, module: Any) -> Any:
    x = keras.layers.Input(X.shape[1:])
    return keras.Model(x, keras.layers.Dense(2, name="dense")(module.Scale(3, name="scale")(x)))


def a_subclass(keras: Any, module: Any) -> Any:
    return module.Two()


def test_a_layer_is_unverified_until_it_is_registered(tmp_path: Path, registered: Any) -> None:
    saved = Saved(3, tmp_path, with_a_layer)
    trace = saved.recorded()
    result = saved.judged(trace)
    assert result.layers[0].verdict is Verdict.UNVERIFIED and result.layers[1].verdict in RIGHT
    assert result.layers[0].reason == "no reference for mine>Scale, which is no layer of Keras"
    assert result.verdict == "incomplete"

    registered("Scale", scale)
    right = saved.judged(trace)
    assert right.verdict == "pass" and right.layers[0].verdict in RIGHT
    assert any(note.startswith("scale: judged by the reference that was registered") for note in right.notes)

    registered("Scale", once)
    wrong = saved.judged(trace)
    assert wrong.layers[0].verdict is Verdict.MISMATCH and wrong.layers[1].verdict in RIGHT


@pytest.mark.parametrize("major", PACKAGES)
def test_a_subclassed_model_is_one_layer(major: int, tmp_path: Path, registered: Any) -> None:
    saved = Saved(major, tmp_path, a_subclass)
    with pytest.raises(UnreadableModel, match="'Two' is a subclassed model"):
        formats.load(saved.path)
    trace = saved.recorded()
    assert [layer.verdict for layer in saved.judged(trace).layers] == [Verdict.UNVERIFIED]
    registered("mine>Two", two)
    right = saved.judged(trace)
    assert right.verdict == "pass", [(layer.verdict, layer.reason) for layer in right.layers]
    registered("mine>Two", relu_instead)
    assert [layer.verdict for layer in saved.judged(trace).layers] == [Verdict.MISMATCH]


def test_without_trust_no_framework_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, model = Saved(3, tmp_path, with_a_layer), tmp_path / "sub"
    model.mkdir()
    monkeypatch.setattr("refconv.frameworks.Worker", lambda *_, **__: pytest.fail("a framework was started"))
    with pytest.raises(UnreadableModel, match=r"layer scale: Scale is no class of Keras.*--trust-code"):
        refconv.check(saved.path)
    with pytest.raises(UnreadableModel, match=r"subclassed model: its code is not in the file \(.*--trust-code"):
        refconv.check(Saved(3, model, a_subclass).path)
    for missing in ("none.py", str(saved.path)):
        with pytest.raises(BadInput, match="is no Python file"):
            refconv.check(saved.path, trust_code=(missing,))


def test_h5_files_name_classes_without_their_module(tmp_path: Path) -> None:
    graph = Saved(2, tmp_path, with_a_layer, ".h5").graph
    with pytest.raises(UnreadableModel, match="mine>Scale is no class of Keras"):
        refuse_code(graph)
    refuse_code(graph, trusted=True)


def test_the_program_runs_the_code_in_the_worker_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, mark, reference = Saved(3, tmp_path, with_a_layer), tmp_path / "mark.txt", tmp_path / "reference.py"
    reference.write_text(
        "import refconv\n"
        "def forward(config, weights, inputs, ops):\n"
        "    x, (factor, shift) = inputs[0], weights.values()\n"
        "    for _ in range(config['power']):\n"
        "        x = ops.multiply(x, factor)\n"
        "    return ops.add(x, shift)\n"
        "refconv.register('Scale', forward)\n"
    )
    monkeypatch.setenv("REFCONV_TEST_MARK", str(mark))
    start = "import os, sys; from refconv.cli import main; print(os.getpid(), flush=True); main()"
    options = ["--trust-code", str(saved.code), "--reference", str(reference)]
    command = [sys.executable, "-c", start, "check", str(saved.path), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "PASS  2 layers" in done.stdout
    own = done.stdout.split()[0]
    assert mark.read_text() not in ("", own)


def test_code_that_fails_is_told(tmp_path: Path) -> None:
    saved = Saved(3, tmp_path, with_a_layer)
    saved.code.write_text("raise ValueError('snow')")
    with pytest.raises(FrameworkError, match=r"the trusted code cannot be run: .*mine_3.py: ValueError: snow"):
        saved.recorded()


def test_names_of_keras_s_own_layers_are_not_taken(registered: Any) -> None:
    for name in ("Dense", "Lambda"):
        with pytest.raises(BadInput, match=f"{name} is a layer of Keras"):
            refconv.register(name, scale)
    registered("mine>Dense", scale)
