"""How a difference is told: nothing twice, nothing too wide, and nothing that a file could steer a terminal with."""

from __future__ import annotations

import math
from typing import Any

from refconv.inventory.change import Change, DeadInputs
from refconv.inventory.difference import Difference, WeightDifference
from refconv.inventory.effective import EffectiveChange
from refconv.report.difference import text


def weight(name: str = "kernel", layer: str = "dense", **given: Any) -> WeightDifference:
    change = Change(12, 12, 0, 0.5, 0.25, 1.0)
    defaults = {"was": (4, 3), "shape": (4, 3), "trainable": (True, True), "change": change, "status": "changed"}
    return WeightDifference(layer, "Dense", name, **{**defaults, **given})


def told(*weights: WeightDifference, **given: Any) -> str:
    return text(Difference("a.h5", "b.h5", weights, {"name": 1}, (), **given))


def test_small_changes_are_counted_together() -> None:
    small = [weight(f"w{n}", change=Change(12, 12, 2, 1e-9, 1e-9, 1.0)) for n in range(8)]
    line = "16 changes are not 0, and would be printed as 0.00000000: in dense/w0"
    assert line in told(*small) and "and 2 more" in told(*small)
    assert "printed" not in told(weight())
    assert "1 change is not 0" in told(weight(change=Change(12, 12, 1, 0.1, 0.1, 1.0)))


def test_dead_inputs_are_told_as_ranges() -> None:
    dead = DeadInputs(784, (0, 1, 2, 9, *range(20, 40, 2)))
    line = "dense/kernel: no weight of 14 of 784 inputs changed in any bit (0–2, 9, 20, 22, 24, 26 … 38)"
    assert line in " ".join(told(weight(dead=dead)).split())
    assert "inputs of 2 more weights" in told(*[weight(f"w{n}", dead=dead) for n in range(8)])


def test_a_weight_that_was_all_zero_has_no_relative_change() -> None:
    assert "was 0" in told(weight(change=Change(3, 3, 0, 1.0, 1.0, 0.0)))
    assert "nan" in told(weight(change=Change(3, 3, 0, math.nan, math.nan, 1.0)))


def test_effective_weights() -> None:
    assert "too small for its quantizer" in told(weight(effective=EffectiveChange(12, 0, 0.0)))
    shown = told(weight(status="same", change=None, effective=EffectiveChange(12, 3, 0.5)))
    assert "effective weights: 3 of 12 changed, by up to 5.0e-01" in shown
    assert "effective weights of another shape" in told(weight(effective=EffectiveChange(0, 0, 0.0)))
    assert "effective" not in told(weight(status="same", change=None, effective=EffectiveChange(12, 0, 0.0)))


def test_names_cannot_steer_a_terminal_and_lines_stay_narrow() -> None:
    shown = told(weight(layer="\x1b[31m" + "x" * 200), notes=("b.h5: \x07bell",))
    assert "\x1b" not in shown and "\x07" not in shown
    assert all(len(line) <= 140 for line in shown.splitlines())


def test_flags_that_differ_are_counted() -> None:
    assert "1 weight trainable in one of the two only" in told(weight(trainable=(True, False)), weight("bias"))
    assert "of the two only" not in told(weight(), weight("gone", status="removed", trainable=(True, None), shape=None))


def test_many_rows_are_cut() -> None:
    weights = [weight(f"w{n}") for n in range(40)]
    assert "… and 10 more: --all" in told(*weights) and "w39" not in told(*weights)
    assert "w39" in text(Difference("a", "b", tuple(weights), {"name": 1}, ()), every=True)
