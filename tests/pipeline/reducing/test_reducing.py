"""What is saved where one layer alone is right: a part of the model, the model's own file, or nothing, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.reducing import Live, Plant

import refconv
from refconv.errors import BadInput
from refconv.pipeline.reducing import Reduced
from refconv.pipeline.reducing.whole import NO_SCRIPT

Reduce = Callable[..., Reduced]


@pytest.fixture
def reduce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reduce:
    """Of a chain of five Dense layers, in this process."""

    def run(plant: Plant, **how: Any) -> Reduced:
        monkeypatch.setattr("refconv.frameworks.Worker", type("Spoilt", (Live,), {"plant": staticmethod(plant)}))
        return refconv.reduce(chain(tmp_path / "model.keras"), mode="eager", **{"seconds": 600.0, **how})

    return run


def chain(path: Path) -> Path:
    x = y = keras.layers.Input((4,), name="x")
    for name in "abcde":
        y = keras.layers.Dense(4, name=name)(y)
    model = keras.Model(x, y)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.save(path)
    return path


def layers_of(model: Any) -> set[str]:
    """Without inputs, which may bear the name of the layer that they stand for."""
    return {layer.name for layer in model.layers if isinstance(layer, keras.layers.Dense)}


def spoilt(name: str, *, beside: str = "", times: int = 1000) -> Plant:
    """The layer gives one more than it should, while the model has the other one too, in so many runs."""
    left = [times]

    def plant(model: Any) -> None:
        names = layers_of(model)
        if name in names and (not beside or beside in names) and left[0] > 0:
            left[0] -= 1
            layer = model.get_layer(name)
            original = layer.call
            vars(layer)["call"] = lambda x, **_: original(x) + 1

    return plant


def kept(found: Reduced) -> list[str]:
    graph = found.case.graph if found.case else None
    return [n.layer for n in graph.nodes if n.index not in graph.inputs] if graph else []


def test_a_healthy_model_has_nothing_to_reduce(reduce: Reduce, tmp_path: Path) -> None:
    found = reduce(lambda model: None, output=tmp_path / "case")
    assert found.exit_code == 0 and found.case is None and found.layer is None
    assert not (tmp_path / "case").exists()


def test_one_layer(reduce: Reduce, tmp_path: Path) -> None:
    found = reduce(spoilt("c"), output=tmp_path / "case")
    assert found.exit_code == 1 and found.scope == "layer" and found.complete and not found.notes
    assert found.layer is not None and found.layer.name == "c" and found.after <= 3 < found.before
    assert sorted(found.files) == sorted(path.name for path in (tmp_path / "case").iterdir())
    assert np.load(tmp_path / "case" / "input.npy").shape == (1, 1)


def test_only_what_is_asked_for(reduce: Reduce) -> None:
    found = reduce(spoilt("b"), layers=("d", "e"))
    assert found.exit_code == 0 and found.case is None


def test_time_ends_the_search(reduce: Reduce) -> None:
    found = reduce(spoilt("c"), seconds=1e-9)
    assert found.exit_code == 1 and not found.complete and found.cases == 0
    assert found.before == found.after


def test_a_layer_that_fails_only_behind_another(reduce: Reduce) -> None:
    found = reduce(spoilt("d", beside="b"))
    assert found.exit_code == 1 and found.scope == "part" and kept(found) == ["b", "c", "d"]
    assert found.notes[0] == "the layer by itself, in a file of its own: it computes what it should"
    assert found.case is not None and found.case.inputs[0].shape == (1, 4)


def test_a_layer_that_fails_only_in_its_file(reduce: Reduce, tmp_path: Path) -> None:
    found = reduce(spoilt("c", beside="e"), output=tmp_path / "case")
    assert found.exit_code == 1 and found.scope == "model"
    assert found.case is not None and found.case.at == "c" and len(found.case.inputs[0]) == 1
    assert (tmp_path / "case" / "case.keras").read_bytes() == (tmp_path / "model.keras").read_bytes()
    assert "model.get_layer('c').output" in (tmp_path / "case" / "reproduce.py").read_text()


def test_a_failure_that_does_not_come_again(reduce: Reduce, tmp_path: Path) -> None:
    found = reduce(spoilt("c", times=1), output=tmp_path / "case")
    assert found.exit_code == 3 and found.case is None and NO_SCRIPT in found.notes
    assert any("it is not deterministic" in note for note in found.notes)
    assert not (tmp_path / "case").exists()


def test_a_plain_run_that_differs(reduce: Reduce) -> None:
    def plant(model: Any) -> None:
        original = model.predict
        if "b" in layers_of(model):
            vars(model)["predict"] = lambda *args, **kwargs: original(*args, **kwargs) + 1

    found = reduce(plant)
    assert found.exit_code == 1 and found.scope == "part" and found.layer is None
    assert kept(found) == ["b", "c", "d", "e"]


def test_a_folder_that_is_not_empty_is_refused_before_anything_runs(reduce: Reduce, tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        reduce(lambda model: pytest.fail("a framework was started"), output=tmp_path / "case")
    with pytest.raises(BadInput, match="only a framework"):
        reduce(lambda model: None, framework=False)
