"""Which arithmetic a layer is declared to compute in: a set of candidates, from its policy and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from refconv.graph import Node
from refconv.numerics.arithmetic import Arithmetic, Rounding
from refconv.numerics.formats import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    NEAREST_AWAY,
    NEAREST_EVEN,
    TF32,
    TRUNCATED,
    Format,
)
from refconv.ops.base import Row
from refconv.ops.table import TABLE

Candidates = tuple[Arithmetic, ...]

SINGLE = Arithmetic()


def operands(fmt: Format, rule: Any = NEAREST_EVEN, name: str = "") -> Arithmetic:
    """float32 throughout, but for the operands of products."""
    return Arithmetic(operand=Rounding(fmt, rule), name=name or fmt.name)


def mixed(fmt: Format) -> Candidates:
    """Operands and results in `fmt`, float32 sums; the bias added in a step of its own, or to the float32 sum."""
    apart = Arithmetic(fmt, FLOAT32, Rounding(fmt), f"mixed_{fmt.name}")
    return apart, replace(apart, bias_apart=False)


TF32S = tuple(operands(TF32, rule) for rule in (NEAREST_EVEN, NEAREST_AWAY, TRUNCATED))
HALF_SUMS = Arithmetic(FLOAT16, None, Rounding(FLOAT16), "float16 with float16 sums")

NAMED: dict[str, Candidates] = {
    "float32": (SINGLE,),
    "tf32": (SINGLE, *TF32S),
    "bfloat16": (SINGLE, operands(BFLOAT16)),
    "float16": (SINGLE, operands(FLOAT16)),
    "mixed_bfloat16": mixed(BFLOAT16),
    "mixed_float16": (*mixed(FLOAT16), HALF_SUMS),
}


@dataclass(frozen=True)
class Declared:
    """What a node may compute in.

    Attributes:
        name: of the set; "" where it is unknown.
        candidates: an execution conforms if it lies inside the bound of any one of them.
        storage: the format in which results are kept.
        reason: why it is unknown.
    """

    name: str
    candidates: Candidates
    storage: Format = FLOAT32
    reason: str = ""


def declare(node: Node, environment: Mapping[str, Any], mode: str, override: str = "") -> Declared:
    """The node's arithmetic.

    Args:
        environment: of the trace. A trace that tells no devices was recorded in this process, on the CPU.
        mode: how the framework ran.
        override: a name of NAMED, to be taken whatever the environment says.
    """
    if override:
        candidates = NAMED[override]
        return Declared(override, candidates, candidates[0].format)
    row = TABLE[node.type]
    fmt = {"float16": FLOAT16, "bfloat16": BFLOAT16}.get(node.dtype.removeprefix("mixed_"))
    if node.dtype == FLOAT32.name:
        return _single(row, environment)
    if fmt is not None and (row.slots is None or row.exact):
        return Declared(f"mixed_{fmt.name}", _mixed(fmt, environment, mode), fmt)
    if row.exact and node.dtype == FLOAT64.name:
        return Declared(FLOAT64.name, (Arithmetic(FLOAT64, name=FLOAT64.name),), FLOAT64)
    return Declared("", (), reason=f"it computes in {node.dtype}, and no bound exists for {node.type} there")


def _single(row: Row, environment: Mapping[str, Any]) -> Declared:
    if not row.operands:
        return Declared(FLOAT32.name, NAMED["float32"])
    return Declared(FLOAT32.name, NAMED["float32"])


def _mixed(fmt: Format, environment: Mapping[str, Any], mode: str) -> Candidates:
    return NAMED[f"mixed_{fmt.name}"]
