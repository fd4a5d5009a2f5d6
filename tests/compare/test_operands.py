"""Operands as an arithmetic rounds them, and candidates that differ on none of a layer's operands."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refconv.compare.declared import NAMED, SINGLE, TF32S, mixed
from refconv.compare.operands import distinct
from refconv.numerics.formats import FLOAT16

CORES = tuple(replace(a, truncates=True) for a in TF32S)
WIDE = np.float32(1 + 2.0**-20)  # 21 significant bits
DENSE: Any = SimpleNamespace(type="Dense", attrs=None)


def left(inputs: Any, kernel: Any, candidates: Any, node: Any = DENSE) -> tuple[Any, ...]:
    weights = {name: np.float32(kernel) for name in ("kernel", "depthwise_kernel", "pointwise_kernel")}
    return distinct(node, weights, [np.float32(inputs)], candidates)


def test_what_tf32_holds_leaves_full_precision() -> None:
    assert left([1.5, np.nan, np.inf, -0.0], [2.0**-30], NAMED["tf32"]) == (SINGLE,)
    truncating = replace(SINGLE, truncates=True)
    assert left([1.5], [0.25], (*NAMED["tf32"], *CORES)) == (SINGLE, truncating)


@pytest.mark.parametrize("operands", [([1.5], [WIDE]), ([WIDE], [1.5])])
def test_an_operand_that_is_rounded_keeps_every_candidate(operands: Any) -> None:
    assert left(*operands, (*NAMED["tf32"], *CORES)) == (*NAMED["tf32"], *CORES)


def test_what_is_an_operand_in_between_is_not_known() -> None:
    node = SimpleNamespace(type="SeparableConv2D", attrs=None)
    assert left([1.5], [0.25], NAMED["tf32"], node) == NAMED["tf32"]


def test_a_policy_rounds_results_too() -> None:
    assert left([1.5], [0.25], mixed(FLOAT16)) == mixed(FLOAT16)
