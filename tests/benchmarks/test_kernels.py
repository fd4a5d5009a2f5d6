"""The benchmark of the loops on one small layer: what it tells, and that it refuses to time another layer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import kernels  # noqa: E402
from speed.peers import NUMPY, PEERS, REFCONV  # noqa: E402
from speed.shapes import SHAPES  # noqa: E402
from speed.timing import agree, measure  # noqa: E402


def test_one_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = tmp_path / "kernels.json", tmp_path / "kernels.md"
    kernels.main(
        ["--quick", "--only", "MobileNetV2 depthwise 14", "--json", str(files[0]), "--markdown", str(files[1])]
    )
    told = json.loads(files[0].read_text())
    (layer,) = told["layers"]
    assert round(layer["gigaoperations"] * 1e9) == 2 * 14 * 14 * 9 * 576
    assert {REFCONV, NUMPY} <= set(layer["peers"])
    assert layer["peers"][REFCONV]["times_refconv"] == 1.0
    assert told["promised"]["VGG16 convolutions with sums, share of dgemm (goal 0.6)"] is None
    assert "| MobileNetV2 depthwise 14 |" in files[1].read_text()
    printed = " ".join(capsys.readouterr().out.split())
    assert all(peer.there or peer.name in printed for peer in PEERS)


def test_layers_are_of_the_four_networks_and_of_every_kind() -> None:
    assert len(SHAPES) >= 24
    assert {s.model for s in SHAPES} == {"VGG16", "ResNet50", "MobileNetV2", "EfficientNetB0"}
    assert {s.kind for s in SHAPES} == {"dense", "depthwise", "grouped", "max pool", "window sum", "matmul"}
    assert any(s.dilation > 1 for s in SHAPES) and any(s.stride > 1 for s in SHAPES)
    assert len({s.name for s in SHAPES}) == len(SHAPES)


def test_a_peer_that_computes_something_else_is_refused() -> None:
    expected = np.ones((1, 2, 2, 3))
    agree("the same", expected * (1 + 1e-6), expected)
    for other in (expected * 1.01, expected[:, :1], expected * np.nan):
        with pytest.raises(ValueError, match="not the layer"):
            agree("another", other, expected)


def test_every_peer_that_is_there_is_timed() -> None:
    shape = next(s for s in SHAPES if s.name == "MobileNetV2 depthwise 14")
    found = measure(shape, 1, 1, tuple(p for p in PEERS if p.name in (REFCONV, NUMPY)))
    assert set(found) == {REFCONV, NUMPY, "dgemm"}
    assert all(0 < m.low <= m.median <= m.high for m in found.values())
