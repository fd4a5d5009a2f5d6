"""Faults planted into the samples and into the two made models: found where they change anything, undone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for package in ("keras", "tf_keras", "qkeras"):
    pytest.importorskip(package)

from detection.made import made  # noqa: E402
from detection.measure import CLEAN, Measured, measure, subjects  # noqa: E402
from detection.memo import Memo  # noqa: E402
from detection.models import SAMPLES, Model, named  # noqa: E402
from detection.operators.base import Mutant, Operator, Scope, structural  # noqa: E402
from detection.operators.table import OPERATORS  # noqa: E402
from detection.operators.table import named as operators_named  # noqa: E402

from refconv.ops.base import Context  # noqa: E402
from refconv.primitives import engines  # noqa: E402

Row = dict[str, Any]
SHIPPED = [SAMPLES / name for name in ("digits.keras", "digits_qkeras.h5")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    return named([*SHIPPED, *made(tmp_path_factory.mktemp("made"))])


State = tuple[str, dict[str, int], Any]


@dataclass(frozen=True)
class Planted:
    """Every operator at every layer of every model; and what the layers were, before and afterwards, by mode."""

    rows: list[Row]
    before: dict[str, list[list[State]]]
    after: dict[str, list[list[State]]]


@pytest.fixture(scope="module")
def planted(models: list[Model]) -> Planted:
    def states() -> dict[str, list[list[State]]]:
        return {mode: [list(_state(model, mode)) for model in models] for mode in ("graph", "eager")}

    before = states()
    rows = [row for model in models for row in measure(model, OPERATORS, seed=0, mode="eager", samples=2)]
    return Planted(rows, before, states())


@pytest.fixture(scope="module")
def rows(planted: Planted) -> list[Row]:
    return planted.rows


def test_clean_layers_raise_no_alarm(rows: list[Row]) -> None:
    clean = [row for row in rows if row["operator"] == CLEAN]
    assert len(clean) == 13 + 10 + 14 + 4
    assert {row["verdict"] for row in clean} <= {"exact", "within"}
    assert all(row["equivalent"] and row["ratio"] <= 1 for row in clean)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_every_operator_changes_some_layer_and_is_found(operator: Operator, rows: list[Row]) -> None:
    """None is without effect: some mutant of each differs, and the largest of them is found."""
    mutants = [row for row in rows if row["operator"] == operator.name and not row["equivalent"]]
    assert any(row["found"] for row in mutants)
    assert all(row["ratio"] > 0 for row in mutants if row["found"] and not row["weights_found"])


def test_structural_faults_are_all_found(rows: list[Row]) -> None:
    faults = [row for row in rows if row["scope"] == "structure" and not row["equivalent"] and row["ratio"] > 2]
    assert len(faults) > 200
    assert [row for row in faults if not row["found"]] == []


def test_what_is_within_the_bound_is_within_the_worst_case(rows: list[Row]) -> None:
    """Given the weights that the layer used, where another code of one was right too."""
    within = [row for row in rows if row["verdict"] == "within"]
    assert len(within) > 100
    assert all(row["ratio"] <= 1 for row in within)


def test_a_bit_identical_mutant_is_equivalent_and_one_bit_more_is_not(models: list[Model]) -> None:
    def nothing(s: Any, size: float, rng: Any) -> Mutant:
        """Nothing is changed."""
        return Mutant(s.run())

    def one_bit(s: Any, size: float, rng: Any) -> Mutant:
        """The last bit of the largest element."""
        (y,) = s.run()
        y = y.copy()
        y.view(np.uint32).flat[np.argmax(y)] ^= 1
        return Mutant((y,))

    planted = (structural("nothing", nothing, "Conv2D", "ReLU"), structural("bit", one_bit, "Conv2D", "ReLU"))
    found = list(measure(models[0], planted, seed=0, mode="graph", samples=2))
    same, changed = ([row for row in found if row["operator"] == name] for name in ("nothing", "bit"))
    assert len(same) == len(changed) == 3
    assert all(row["equivalent"] and not row["found"] for row in same)
    assert not any(row["equivalent"] for row in changed)
    assert [row["found"] for row in changed] == [row["type"] == "ReLU" for row in changed]  # a convolution may round so


def test_three_operators_and_one_other_policy(models: list[Model]) -> None:
    """Scaling by 1e-5 leaves Keras's 5e-4 untouched and refconv's bound; np.testing alarms on clean layers already."""
    operators = operators_named(["kernel flipped", "bias missing", "all weights"])
    found = list(measure(models[0], operators, seed=1, mode="graph", samples=2))
    clean = [row["scores"] for row in found if row["operator"] == CLEAN]
    assert any(scores["np.testing"] > 1 for scores in clean)
    assert not any(scores["Keras 5e-4"] > 1 for scores in clean)
    flipped = [row for row in found if row["operator"] == "kernel flipped"]
    assert len(flipped) == 4
    assert all(row["found"] and row["scores"]["Keras 5e-4"] > 1 for row in flipped)
    small = [row for row in found if row["operator"] == "all weights" and 0.9e-5 < row["size"] < 1.1e-5]
    assert all(row["found"] and row["scores"]["Keras 5e-4"] < 1 for row in small if row["type"] != "Dense")


def test_a_scale_error_of_a_millionth_is_found_where_outputs_are_judged_together(models: list[Model]) -> None:
    """The digits' convolutions, and the last layer, which has ten outputs per sample, bent by a softmax."""
    found = list(measure(models[0], operators_named(["all weights"]), seed=0, mode="graph", samples=2))
    sloped = {row["layer"] for row in found if row["operator"] == CLEAN and row["sloped"]}
    millionth = {row["layer"]: row["found"] for row in found if row["size"] == 1e-6}
    assert len(sloped) >= 4
    assert "classes" in sloped
    assert all(millionth[layer] for layer in sloped)


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_a_layer_is_afterwards_what_it_was(mode: str, planted: Planted) -> None:
    assert planted.rows
    for before, after in zip(planted.before[mode], planted.after[mode], strict=True):
        assert before and [name for name, *_ in before] == [name for name, *_ in after]
        for (name, held, outputs), (_, held_after, outputs_after) in zip(before, after, strict=True):
            assert held == held_after, name
            assert [y.tobytes() for y in outputs] == [y.tobytes() for y in outputs_after], name


def _state(model: Model, mode: str) -> Iterator[State]:
    """Per layer: its name, the objects that it holds, its outputs."""
    for s in subjects(model, seed=0, mode=mode, samples=2):
        outputs = s.run()
        kept = ("strides", "padding", "dilation_rate", "activation", "epsilon", "scale", "quantizer")
        held = {name: id(vars(s.layer)[name]) for name in (*kept, *_quantizers(s.layer)) if name in vars(s.layer)}
        yield s.node.name, held, outputs


def _quantizers(layer: Any) -> list[str]:
    return [name for name in vars(layer) if name.endswith("quantizer_internal")]


def test_the_remembering_engine_gives_what_the_engine_gives() -> None:
    inner, rng = engines.get("numpy"), np.random.default_rng(0)
    memo = Memo(inner)
    a, b, c = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    first = memo.matmul(a, b)
    assert memo.matmul(a.copy(), b.copy()) is first
    assert np.array_equal(first, inner.matmul(a, b))
    assert np.array_equal(memo.matmul(a, c), inner.matmul(a, c))
    memo.forget()
    assert memo.matmul(a, b) is not first


def test_remembering_changes_no_verdict(models: list[Model]) -> None:
    for subject in subjects(models[0], seed=0, mode="eager", samples=2):
        mutant = Mutant(tuple(y * np.float32(1.001) for y in subject.run()))
        rows = [Measured(subject, Context(e)).row(mutant) for e in (Memo(engines.get("numpy")), engines.get("numpy"))]
        assert rows[0] == rows[1]


def test_operators_are_at_least_thirty_and_say_what_they_do() -> None:
    assert len({operator.name for operator in OPERATORS}) == len(OPERATORS) >= 30
    assert all(operator.about.endswith(".") and operator.types for operator in OPERATORS)
    assert {operator.scope for operator in OPERATORS} == set(Scope)


def test_sizes_go_from_a_tenth_to_a_ten_millionth(rows: list[Row]) -> None:
    sizes = {row["size"] for row in rows if row["operator"] == "all weights"}
    assert (max(sizes), min(sizes), len(sizes)) == (1e-1, 1e-7, 7)


def test_models_are_labelled_alike_by_path_and_by_folder() -> None:
    assert [model.label for model in named([SAMPLES / "digits.keras", Path(SAMPLES) / "digits.h5"])] == [
        "samples/digits.keras",
        "samples/digits.h5",
    ]
