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
    Rule,
)
from refconv.ops.base import Row
from refconv.ops.table import TABLE
from refconv.trace import accelerator

Candidates = tuple[Arithmetic, ...]

SINGLE = Arithmetic()
DOUBLE = Arithmetic(FLOAT64, name=FLOAT64.name)


def operands(fmt: Format, rule: Rule = NEAREST_EVEN) -> Arithmetic:
    """float32 throughout, but for the operands of products."""
    return Arithmetic(operand=Rounding(fmt, rule), name=fmt.name)


def mixed(fmt: Format) -> Candidates:
    """Operands and results in `fmt`, float32 sums; the bias added in a step of its own, or to the float32 sum."""
    apart = Arithmetic(fmt, FLOAT32, Rounding(fmt), f"mixed_{fmt.name}")
    return apart, replace(apart, bias_apart=False)


def half_sums(fmt: Format) -> Arithmetic:
    """Everything in `fmt`, partial sums too."""
    return Arithmetic(fmt, None, Rounding(fmt), f"mixed_{fmt.name}")


def unrounded(fmt: Format) -> Arithmetic:
    """XLA's: what one operation hands to the next may not be rounded to `fmt` on the way."""
    return replace(mixed(fmt)[1], fused=True)


TF32S = tuple(operands(TF32, rule) for rule in (NEAREST_EVEN, NEAREST_AWAY, TRUNCATED))

NAMED: dict[str, Candidates] = {
    "float32": (SINGLE,),
    "tf32": (SINGLE, *TF32S),
    "bfloat16": (SINGLE, operands(BFLOAT16)),
    "float16": (SINGLE, operands(FLOAT16)),
    "mixed_bfloat16": (*mixed(BFLOAT16), half_sums(BFLOAT16)),
    "mixed_float16": (*mixed(FLOAT16), half_sums(FLOAT16)),
}

# On a CPU these sum in float32 whatever TensorFlow's kernel; others do, and Dense in bfloat16, only where oneDNN or
# XLA computes them. Measured with TensorFlow 2.21 in all modes, with oneDNN on and off.
WIDE_SUMS = {FLOAT16: ("Dense", "Conv1D", "Conv2D"), BFLOAT16: ("Conv1D", "Conv2D")}


@dataclass(frozen=True)
class Declared:
    """What a node may compute in.

    Attributes:
        name: of the set; "" where it is unknown.
        candidates: an execution conforms if it lies inside the bound of any one of them.
        reason: why it is unknown.
    """

    name: str
    candidates: Candidates
    reason: str = ""


def declare(node: Node, environment: Mapping[str, Any], mode: str, override: str = "") -> Declared:
    """The node's arithmetic.

    Args:
        environment: of the trace.
        mode: how the framework ran.
        override: a name of NAMED, taken whatever the policy and the environment say.
    """
    if override:
        return Declared(override, NAMED[override])
    (row, attrs), fmt = TABLE[node.type].core(node.attrs), _format(node.dtype)
    if (
        fmt is None
        or ((row.slots is not None or row.single) and fmt is not FLOAT32)
        or (fmt is FLOAT64 and not row.exact)
    ):
        return Declared("", (), f"it computes in {node.dtype}, where no bound exists for {node.type}")
    gpu = accelerator(environment)
    if row.steps is not None and (fmt is not FLOAT32 or gpu is not None):
        return Declared("", (), f"bounds for the steps of {node.type} exist for float32 on a CPU only")
    if fmt is FLOAT64:
        return Declared(DOUBLE.name, (DOUBLE,))
    if fmt is FLOAT32:
        return _single(row, attrs, gpu, environment)
    return Declared(f"mixed_{fmt.name}", _policy(row, fmt, gpu, environment, mode))


def _format(policy: str) -> Format | None:
    known = (FLOAT16, BFLOAT16, FLOAT32, FLOAT64)
    return next((f for f in known if policy == f.name or (f.u > FLOAT32.u and policy == f"mixed_{f.name}")), None)


def _single(row: Row, attrs: Any, gpu: Mapping[str, Any] | None, environment: Mapping[str, Any]) -> Declared:
    """float32; TF32 too where the hardware has it and the switch is on (compute capability 8.0: TRAPS 14).

    Nobody reports which algorithm cuDNN picked: each that the layer's geometry allows is a candidate.
    """
    if gpu is None or not row.operands:
        return Declared(SINGLE.name, NAMED["float32"])
    capability, switch = str(gpu.get("compute_capability") or ""), environment.get("tf32")
    if gpu.get("type") != "GPU" or not capability or switch is None:
        return Declared("", (), f"it ran on {gpu.get('name') or gpu.get('type')}, whose arithmetic is not known")
    name = "tf32" if switch and float(capability) >= 8.0 else "float32"
    cores = tuple(replace(a, truncates=True) for a in TF32S) if name == "tf32" else ()
    algorithms = tuple(replace(SINGLE, algorithm=algorithm) for algorithm in row.algorithms(attrs))
    return Declared(name, (*NAMED[name], *cores, *algorithms))


def _policy(row: Row, fmt: Format, gpu: Any, environment: Mapping[str, Any], mode: str) -> Candidates:
    found = mixed(fmt)
    if gpu is not None or (mode != "xla" and not _sums_in_float32(row, fmt, environment)):
        found += (half_sums(fmt),)
    if mode == "xla":
        found += (unrounded(fmt),)
    if row.attends:
        found = _attending(found, narrow=gpu is not None or mode == "xla" or not _in_onednn(fmt, environment))
    if row.wide:
        found += (SINGLE,)  # Keras 2 hands on the float32 result of a resizing
    return found


def _attending(found: Candidates, *, narrow: bool) -> Candidates:
    """Scores scaled before their product or after it, in float32; and their softmax in 16 bits where it may be."""
    wide = tuple(replace(a, softmax_wide=True) for a in found)
    return (*(replace(a, scores_wide=True) for a in wide), *(found if narrow else wide))


def _sums_in_float32(row: Row, fmt: Format, environment: Mapping[str, Any]) -> bool:
    """Whether partial sums are float32 on this CPU outside XLA."""
    return row.keras in WIDE_SUMS[fmt] or _in_onednn(fmt, environment)


def _in_onednn(fmt: Format, environment: Mapping[str, Any]) -> bool:
    """Whether oneDNN computes products and softmax, in float32 inside: bfloat16 given AVX-512."""
    onednn = (environment.get("onednn") or {}).get("enabled")
    sets = (environment.get("cpu") or {}).get("instruction_sets") or ()
    return bool(fmt is BFLOAT16 and onednn and "avx512f" in sets)
