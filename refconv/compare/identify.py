"""Which lower arithmetic explains a layer that is outside its declared one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refconv.compare.declared import TF32S, Candidates, Declared, half_sums, mixed, operands, unrounded
from refconv.compare.operands import Arrays, enclose
from refconv.compare.stage1 import deviate
from refconv.compare.stage2 import WORST_ELEMENTS
from refconv.compare.tensor import Explain, compare, lost
from refconv.graph import Node
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.formats import BFLOAT16, FLOAT16, FLOAT32, Format, float64
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Weights
from refconv.ops.table import TABLE
from refconv.result import Verdict

OPERANDS: Candidates = (*TF32S, operands(FLOAT16), operands(BFLOAT16))
POLICIES: Candidates = tuple(a for fmt in (FLOAT16, BFLOAT16) for a in (*mixed(fmt), half_sums(fmt), unrounded(fmt)))


def identify(node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context, declared: Declared) -> str:
    """What the layer did instead, "" where nothing lower explains it.

    A candidate explains the outputs if they all lie inside its own probable bound (stage 2 included), with the
    reference's operands rounded as it rounds them. Those that round results too must show it: every result is a number
    of that format, and another one is declared (16-bit sums have a bound that many a wrong weight keeps). Operands
    that a candidate can hold exactly leave float32's own bound, which has been left already.
    """
    names = []
    multiplies = bool(TABLE[node.type].operands)
    known = {a.format for a in declared.candidates if a.u > FLOAT32.u}
    for candidate in (*(OPERANDS if multiplies else ()), *POLICIES):
        if candidate.fused and multiplies:
            continue  # measured on no sum of products, whose bound it would widen most
        if candidate in declared.candidates or candidate.format in known or not all(_stored(g, candidate) for g in got):
            continue
        if _explains(node, weights, inputs, got, replace(context, arithmetic=candidate)):
            names.append(candidate)
    return _reason(names)


def _stored(got: np.ndarray, candidate: Arithmetic) -> bool:
    """Whether the results are numbers of the candidate's format; 16-bit sums are believed of 16-bit tensors only."""
    fmt = candidate.format
    if fmt.u <= FLOAT32.u or got.dtype.itemsize == 2:
        return fmt.u <= FLOAT32.u or got.dtype.name == fmt.name
    values = float64(got)
    return (
        candidate.sums.u < fmt.u
        and not candidate.fused
        and bool(np.array_equal(fmt.round(values), values, equal_nan=True))
    )


def _explains(node: Node, weights: Weights, inputs: Arrays, got: Arrays, context: Context) -> bool:
    enclosures, explain = enclose(node, weights, inputs, replace(context, need=Need.PROBABLE))
    if len(enclosures) != len(got):
        return False
    return all(_inside(e, g, explain, context.arithmetic) for e, g in zip(enclosures, got, strict=True))


def _inside(e: Enclosure, got: np.ndarray, explain: Explain | None, arithmetic: Arithmetic) -> bool:
    fmt = arithmetic.format
    if got.shape != e.mid.shape or lost(e, got):  # the bound at hand knows no overflow
        return False
    deviation = deviate(e, got, fmt)
    if np.count_nonzero(deviation.outside) > WORST_ELEMENTS:  # stage 2 takes no more, and rarely all of so many
        return False
    return compare(e, got, explain, fmt).verdict.severity <= Verdict.WITHIN.severity


def _reason(found: Sequence[Arithmetic]) -> str:
    """One sentence for the class of candidates that cannot be told apart."""
    rounded = [a.operand.format for a in found if a.u <= FLOAT32.u and a.operand]
    kept = [a.format for a in found if a.u > FLOAT32.u and a.sums.u < a.u]
    summed = [a.format for a in found if a.u > FLOAT32.u and a.sums.u >= a.u]
    said = []
    if rounded:
        said.append(f"operands were rounded to {_either(rounded)}")
    if kept:
        said.append(f"operands and results were rounded to {_either(kept)}")
    elif summed:
        said.append(f"operands, sums and results were rounded to {_either(summed)}")
    return ", or ".join(said)


def _either(formats: Sequence[Format]) -> str:
    return " or ".join(dict.fromkeys(f.name.upper() if f.name == "tf32" else f.name for f in formats))
