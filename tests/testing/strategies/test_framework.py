"""A few cases of every strategy against TensorFlow; `benchmarks/strategies.py` runs ten thousand."""

from __future__ import annotations

from typing import Any

import pytest
from drawn import run
from drawn.run import Block, run_block
from drawn.table import MODELS, STRATEGIES

CASES, FEW = 12, 3


@pytest.mark.parametrize("name", STRATEGIES)
def test_layers_of_tensorflow_are_right(name: str) -> None:
    row = run_block(Block(name, 0, CASES, seed=7))
    assert row["failures"] == []
    assert row["cases"] == CASES == sum(row["verdicts"].values()) + sum(row["known"].values())
    assert set(row["verdicts"]) <= {"exact", "within", "vacuous"} and row["used"] <= 1


@pytest.mark.parametrize("name", MODELS)
def test_models_of_tensorflow_are_right(name: str) -> None:
    row = run_block(Block(name, 0, FEW, seed=7))
    assert row["failures"] == [] and row["cases"] == FEW and row["layers"] > FEW


def test_what_is_wrong_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = run._output

    def wrong(case: Any, major: int, traced: bool) -> Any:
        return right(case, major, traced) * 1.001

    monkeypatch.setattr(run, "_output", wrong)
    row = run_block(Block("dense", 0, CASES, seed=7))
    assert row["failures"] and "DenseCase(" in row["failures"][0]["case"]


def test_what_a_framework_raises_is_a_failure_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(case: Any, major: int, traced: bool) -> Any:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(run, "_output", raising)
    row = run_block(Block("pool 1d", 0, CASES, seed=7))
    assert len(row["failures"]) == row["cases"] == CASES and "no kernel" in row["failures"][0]["said"]
