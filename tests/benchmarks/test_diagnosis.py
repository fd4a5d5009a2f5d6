"""benchmarks/diagnosis.py: what it counts, and a short run of it on a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

import diagnosis  # noqa: E402
from detection.models import SAMPLES, named  # noqa: E402
from detection.operators import table  # noqa: E402
from diagnosing.asked import ask  # noqa: E402
from diagnosing.described import EXTRA, RULES, operators  # noqa: E402

from refconv.diagnose.rules.table import rule  # noqa: E402

SOME = ("kernel flipped", "bias missing", "epsilon of another library", "pre-activation output", "padding mode")


def row(operator: str, truth: str, *codes: str, **more: Any) -> dict[str, Any]:
    return {
        "operator": operator,
        "truth": truth,
        "codes": list(codes),
        "failed": True,
        "tied": False,
        "equivalent": False,
        "seconds": 0.1,
        **more,
    }


def test_what_is_counted() -> None:
    rows = [
        row("flip", "RC203", "RC203", "RC204"),
        row("flip", "RC203", "RC204", "RC203"),
        row("flip", "RC203", "RC204", "RC203", tied=True),
        row("flip", "RC203", "RC301"),
        row("flip", "RC203"),
        row("flip", "RC203", failed=False),
        row("none", "", failed=False),
        row("none", "", "RC301"),
    ]
    found = diagnosis.summary(rows)
    assert (found["faults"], found["not found by the check"], found["reported"]) == (5, 1, 3)
    assert (found["first"], found["first, without ties"], found["ties"]) == (2, 1, 1)
    assert (found["clean layers"], found["false findings"]) == (2, 1)
    assert found["confusion"]["flip"] == {"truth": "RC203", "RC203": 1, "RC204": 2, "RC301": 1, "none": 1}
    assert "RC203" not in found["never fired"] and "RC301" in found["never fired"]
    assert "RC204 2" in diagnosis.text(found)


def test_every_operator_belongs_to_a_rule_that_there_is() -> None:
    names = {operator.name for operator in table.OPERATORS}
    assert set(RULES) <= names
    assert all(rule(code) for code in [*RULES.values(), *(code for _, code in EXTRA)])


def test_what_describes_a_fault_depends_on_the_layer(samples: list[dict[str, Any]]) -> None:
    truths = {(found["operator"], found["type"]): found["truth"] for found in samples}
    assert truths["kernel flipped", "Conv2D"] == "RC203"
    assert truths["pre-activation output", "ReLU"] == "RC304"


@pytest.fixture(scope="module")
def samples() -> list[dict[str, Any]]:
    (model,) = named([Path(SAMPLES / "digits.h5")])
    some = [(operator, code) for operator, code in operators() if operator.name in SOME]
    return list(ask(model, some, seed=0, mode="graph", samples=2, layers=1))


def test_the_true_rule_comes_first_and_clean_layers_have_none(samples: list[dict[str, Any]]) -> None:
    found = diagnosis.summary(samples)
    assert found["clean layers"] >= 8 and found["false findings"] == 0
    assert found["faults"] >= 10
    assert found["reported rate"] == found["first rate"] == 1.0
