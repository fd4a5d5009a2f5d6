"""What a kernel that nobody can simulate might give: no explanation, but values that it does not rule out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.compare.declared import SINGLE, half_sums
from refconv.diagnose.fit import fit
from refconv.diagnose.rule import Change, Question
from refconv.errors import RefconvError
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.formats import BFLOAT16, FLOAT16, Format, is_float
from refconv.ops.base import Context
from refconv.ops.table import TABLE


def compatible(question: Question, context: Context) -> tuple[str, ...]:
    """Names of the arithmetics within whose own, wider bounds lies what was observed."""
    return tuple(name for name, arithmetic in _candidates(question) if _allows(question, arithmetic, context))


def _candidates(question: Question) -> Iterator[tuple[str, Arithmetic]]:
    """Algorithms with transforms, and 16-bit sums in an unknown order where every value is a number of that format."""
    row, attrs = TABLE[question.case.node.type].core(question.case.node.attrs)
    for algorithm in row.algorithms(attrs):
        yield algorithm, replace(SINGLE, algorithm=algorithm)
    for fmt in (FLOAT16, BFLOAT16):
        if row.operands and _held(question, fmt):
            yield f"sums in {fmt.name}", half_sums(fmt)


def _held(question: Question, fmt: Format) -> bool:
    values = [o.values.astype(np.float64) for o in question.observed if is_float(o.values.dtype)]
    return bool(values) and all(np.array_equal(fmt.round(v), v, equal_nan=True) for v in values)


def _allows(question: Question, arithmetic: Arithmetic, context: Context) -> bool:
    if arithmetic in question.candidates:
        return False
    try:
        return fit(question, Change("", question.case, arithmetic=arithmetic), context).good
    except RefconvError:
        return False
