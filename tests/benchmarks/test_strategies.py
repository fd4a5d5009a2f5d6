"""The long run over the strategies: its plan, what it keeps, and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import strategies
from drawn.run import Block
from drawn.table import MODELS, STRATEGIES


def test_the_plan_has_every_case_and_model() -> None:
    blocks = strategies.plan(10_000, 500, 0)
    assert sum(b.count for b in blocks if b.strategy in STRATEGIES) == 10_000
    assert sum(b.count for b in blocks if b.strategy in MODELS) == 500
    assert len({b.key for b in blocks}) == len(blocks)
    assert {b.strategy for b in strategies.plan(1000, 10, 0, "conv3d")} == {"conv3d"}


def row(strategy: str, **changes: Any) -> dict[str, Any]:
    blank = {"number": 0, "seed": 0, "cases": 2, "layers": 2, "verdicts": {"exact": 1, "within": 1}, "known": {}}
    return {"strategy": strategy, **blank, "failures": [], "used": 0.5, "where": "x", "seconds": 1.0, **changes}


def test_what_is_done_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Block] = []

    def pretend(block: Block) -> dict[str, Any]:
        ran.append(block)
        return row(block.strategy, number=block.number, seed=block.seed)

    monkeypatch.setattr(strategies, "run_block", pretend)
    blocks = strategies.plan(200, 0, 3)
    first = strategies.run_all(blocks[:2], tmp_path / "rows.jsonl")
    assert strategies.run_all(blocks, tmp_path / "rows.jsonl")[:2] == first
    assert [b.key for b in ran] == [b.key for b in blocks]


def test_the_table_adds_up_and_failures_say_how_to_see_them_again() -> None:
    failure = {"case": "DenseCase(…)", "keras": 2, "traced": True, "said": "mismatch"}
    rows = [
        row("dense"),
        row("dense", number=1, used=0.75, where="Dense, Keras 2", failures=[failure], known={"late": 2}),
        row("models, Keras 3", layers=7),
    ]
    dense, model, cases, models = strategies.summarize(rows)
    assert (dense["cases"], dense["failures"], dense["used"], dense["where"]) == (4, 1, 0.75, "Dense, Keras 2")
    assert dense["verdicts"] == {"exact": 2, "within": 2} and dense["known"] == {"late": 2}
    assert (model["layers"], cases["strategy"], cases["cases"], models["layers"]) == (7, "all cases", 4, 7)
    assert "dense" in strategies.table([dense, model])
    (told,) = strategies.failures(rows)
    assert told.startswith("--only 'dense' --seed 0, block 1; keras 2, traced True\nDenseCase(…)\nmismatch")
