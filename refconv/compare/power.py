"""Could this check have failed? Which faults this input would have exposed in a layer, given the layer's own bound.

Each applicable counterfactual (`counterfactuals.table`) is computed by the reference beside the layer itself, on a part
of it (`sampling`). A fault counts as caught where some output moves by more than FACTOR times what rounding may do: a
faulty execution lies within its own bound of the altered value, so twice the larger of both bounds puts it outside the
layer's. Where that is stage 1's bound of a sum, the element's own terms must not explain it either (stage 2). Then
`check` would have called the layer suspect or a mismatch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.compare import stage2
from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.compare.counterfactuals.kernels import named, scaled, single, with_factor
from refconv.compare.counterfactuals.table import applicable
from refconv.compare.operands import prepare
from refconv.compare.sampling import Sample, by_input, channels_axis, elementwise, sampled, whole
from refconv.compare.stage1 import deviate
from refconv.errors import RefconvError
from refconv.graph import Node
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Weights
from refconv.ops.table import TABLE
from refconv.reference.forward import NodeWeights, step_names
from refconv.result import LayerResult, Missed, Power, Verdict

FACTOR = 2.0
OWN = 2.0**-28  # of the worst case: the reference's own error, float64's beside float32's 2⁻²⁹, of two results
DELTA = 2.0**-10  # by which weights are moved to measure what a smaller error would do
RANKS = (0.25, 0.5, 0.75)  # of the magnitudes of the weights that are moved

NOTHING = "none of the faults tried would have shown on this input"


@dataclass(frozen=True)
class Shift:
    """How far a fault moves the outputs that were sampled.

    Attributes:
        ratio: largest deviation in units of the bound that decided, stage 1's or a wider one; inf where the shape
            changes or bits are demanded.
        shape: True where the output has another shape.
        any: False where no output moves by more than the reference's own error.
    """

    ratio: float
    any: bool = True
    shape: bool = False


def measure(
    case: Case, context: Context, *, certified: bool = True, candidates: Sequence[Arithmetic] = ()
) -> Power | None:
    """The power of the check of one layer call; None where no counterfactual applies.

    Where a part of the layer shows no fault, all of it is asked before it is said that none would have shown.
    `certified` says that bits are demanded of the whole layer: in a part, fewer values may lie on a coarser grid, so
    that more sums seem exact than are. `candidates` are those of the layer, first the one by which it was judged; see
    `widest`. Without any it is the arithmetic of the context.
    """
    rows = applicable(case)
    if not rows:
        return None
    part = replace(sampled(case), certified=certified)
    arithmetic = widest(part, candidates or (context.arithmetic,), context)
    context = replace(context, arithmetic=arithmetic, need=Need.WORST)
    power = _measured(part, rows, context)
    return power if power.by_value or not part.words else _measured(whole(case), rows, context)


def widest(part: Sample, candidates: Sequence[Arithmetic], context: Context) -> Arithmetic:
    """Of the candidates that round operands as the first does, that whose bound is widest, on average.

    A faulty layer would pass if it were inside the bound of any. Another rounding of operands moves all outputs, so
    that it hardly covers for a fault.
    """
    candidates = [a for a in candidates if a.operand == candidates[0].operand]

    def radius(arithmetic: Arithmetic) -> float:
        found = part.case.enclose(replace(context, arithmetic=arithmetic, need=Need.PROBABLE))
        radii = [part.keep(np.broadcast_to(e.probable, e.mid.shape)) for e in found]
        return sum(float(np.sum(r, where=np.isfinite(r))) for r in radii)

    return candidates[0] if len(candidates) == 1 else max(candidates, key=radius)


def with_power(
    result: LayerResult,
    node: Node,
    weights: NodeWeights,
    inputs: tuple[np.ndarray, ...],
    got: tuple[np.ndarray, ...],
    steps: Weights,
    context: Context,
    candidates: Sequence[Arithmetic] = (),
) -> LayerResult:
    """The layer's result with its power; a layer that passes where no fault would have shown is vacuous.

    Layers that draw numbers are left out, and those whose steps were not recorded. For the candidates, in which the
    layer might have been computed, see `measure`.
    """
    if result.nondeterministic or result.verdict is Verdict.UNVERIFIED:
        return result
    started = time.perf_counter()
    case = Case(node, weights.applied, inputs, weights.stored, {name: steps[name] for name in step_names(node)})
    case = replace(case, unit=_liveliest(case, got[0]))
    certified = all(output.certified for output in result.outputs)
    power = measure(case, context, certified=certified, candidates=candidates)
    seconds = {**result.seconds, "power": time.perf_counter() - started}
    result = replace(result, power=power, seconds=seconds)
    if power and result.verdict in (Verdict.EXACT, Verdict.WITHIN) and (reason := hollow(power, case)):
        return replace(result, verdict=Verdict.VACUOUS, reason=reason)
    return result


def _liveliest(case: Case, got: np.ndarray) -> int:
    """The channel with the fewest zeros in the framework's output: behind a relu that is off, no fault shows."""
    axis = channels_axis(case)
    if axis is None or got.ndim < 2 or not got.size:
        return 0
    others = tuple(a for a in range(got.ndim) if a != axis % got.ndim)
    unit = int(np.argmax(np.count_nonzero(got, axis=others)))
    return unit // getattr(case.attrs, "depth_multiplier", 1) if by_input(case.attrs) else unit


def hollow(power: Power, case: Case) -> str:
    """Why agreement proves nothing; "" where some number would have shown a fault, or none is one (x beside x swapped).

    A right shape proves nothing of the numbers: a kernel of zeros has it too.
    """
    return NOTHING if not power.by_value and (power.missed or case.weights) else ""


def _measured(part: Sample, rows: Sequence[Counterfactual], context: Context) -> Power:
    base = part.case.enclose(context)
    caught, missed, equivalent, by_shape = [], [], [], []
    # Only where stage 2 may speak for a sum does the altered worst case spare its walk.
    near = context if elementwise(part.case) else replace(context, need=Need.PROBABLE)
    for row in rows:
        altered = row.alter(part.case)
        if altered.same(part.case):
            equivalent.append(row.name)
            continue
        try:
            shift = _shift(part, base, altered.enclose(near), context)
        except RefconvError as error:
            missed.append(Missed(row.name, 0.0, f"it cannot be computed: {error.what}"))
            continue
        if shift.ratio > FACTOR:
            caught.append(row.name)
            by_shape += [row.name] if shift.shape else []
        else:
            missed.append(Missed(row.name, shift.ratio, "" if shift.any else "it changes no output here"))
    weight, scale = _smallest(part, base, context)
    return Power(tuple(caught), tuple(missed), tuple(equivalent), tuple(by_shape), weight, scale, part.words)


def _shift(part: Sample, base: Sequence[Enclosure], altered: Sequence[Enclosure], context: Context) -> Shift:
    if [e.mid.shape for e in base] != [e.mid.shape for e in altered]:
        return Shift(np.inf, shape=True)
    found = [_moved(part, *pair, context, first=i == 0) for i, pair in enumerate(zip(base, altered, strict=True))]
    return max(found, key=lambda shift: (shift.ratio, shift.any))


def _moved(part: Sample, base: Enclosure, altered: Enclosure, context: Context, *, first: bool) -> Shift:
    """One output: against the worst case where that is enough, else as `compare` would decide."""
    if base.lattices or altered.lattices:
        apart = part.keep(_apart(base, altered))
        return Shift(np.inf if apart.any() else 0.0, bool(part.keep(base.mid != altered.mid).any()))
    to, back = deviate(base, _as_float(altered.mid)), deviate(altered, _as_float(base.mid))
    error, limit = part.keep(to.error), part.keep(np.maximum(to.limit, back.limit))
    probable = part.keep(np.maximum(to.probable, back.probable))
    sure = part.certified or not part.words
    error = np.where(part.keep(to.equal) | ((limit == 0) & (not sure)), 0.0, error)
    changed = bool(np.any(error > part.keep(_own(to.limit, to.probable))))
    if not error.size or not changed or np.any(error > FACTOR * limit):
        return Shift(_largest(error, probable)[0] if changed else 0.0, changed)
    if step_names(part.case.node):
        return Shift(_largest(error, limit)[0])
    ratio, place = _largest(error, probable)
    terms = TABLE[part.case.node.type].terms
    if ratio > FACTOR and terms and first and elementwise(part.case):
        radius = _explained(part, base.mid.shape, place, context)  # 0 where a 16-bit result can be one number alone
        ratio = min(ratio, float(error.flat[place]) / radius) if radius else ratio
    return Shift(ratio)


def _own(limit: np.ndarray, probable: np.ndarray) -> np.ndarray:
    """What the reference itself may err by; in narrow formats a long sum has no worst case."""
    return OWN * np.where(np.isfinite(limit), limit, probable)


def _explained(part: Sample, shape: tuple[int, ...], place: int, context: Context) -> float:
    """Stage 2's radius of one of the elements that are kept."""
    index = np.unravel_index(part.keep(np.arange(int(np.prod(shape))).reshape(shape)).flat[place], shape)
    find, case = TABLE[part.case.node.type].terms, part.case
    assert find is not None
    weights, inputs = prepare(case.node, case.weights, case.inputs, context.arithmetic)
    found = find(case.attrs, weights, inputs, tuple(int(i) for i in index), context)
    with np.errstate(all="ignore"):
        return float(stage2.enclose(found, context.arithmetic).probable)


def _apart(base: Enclosure, altered: Enclosure) -> np.ndarray:
    """Where no value that the altered layer may give is one that the layer may."""
    ends = (altered.lattices[1].low, altered.lattices[1].high) if altered.lattices else (altered.mid, altered.mid)
    admitted = [base.lattices[1].admits(end) if base.lattices else _near(base, end) for end in ends]
    return ~(admitted[0] | admitted[1])


def _near(base: Enclosure, value: np.ndarray) -> np.ndarray:
    return np.asarray(
        np.abs(value - base.mid) <= FACTOR * np.maximum(base.limit, np.spacing(np.abs(base.mid) * 2.0**29))
    )


def _as_float(mid: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return mid.astype(np.float32) if mid.dtype.kind == "f" else mid


def _largest(error: np.ndarray, radius: np.ndarray) -> tuple[float, int]:
    """The largest error/radius and its place; an error without a radius is infinitely many."""
    with np.errstate(all="ignore"):
        share = np.where(error > 0, error / radius, 0.0)
    place = int(np.argmax(share))
    return float(share.flat[place]), place


def _smallest(part: Sample, base: Sequence[Enclosure], context: Context) -> tuple[float | None, float | None]:
    """The smallest relative error of one weight, and of all weights together, that would have counted as caught.

    Weights are moved by DELTA, and the deviation taken as proportional to the error: the smallest that shows is
    DELTA · min over the sampled outputs of FACTOR·r/|deviation|, r the stage 1 radius, at least one unit roundoff of
    the output. Of one weight: the median over weights at RANKS of the magnitudes in one filter; inf where half of them
    move nothing. Of all: every kernel, not the biases. None for a layer without a kernel, or where a quantizer comes
    last; never below the format's unit roundoff. `check` may see less: on random inputs the slope test finds errors of
    scale of some 1e-7.
    """
    case = part.case
    kernels = named(case, "kernel")
    if not kernels or any(e.lattices for e in base):
        return None, None
    quick = replace(context, need=Need.VALUES)

    def visible(altered: Case) -> float:
        moved = zip(base, altered.enclose(quick), strict=True)
        return min((_visible(part, b, a, context.arithmetic.u) for b, a in moved), default=np.inf)

    one = [visible(with_factor(_wide(case), *single(case, rank), 1 + DELTA)) for rank in RANKS]
    rounded = context.arithmetic.operand
    least = max(context.arithmetic.u, rounded.format.u if rounded else 0.0)  # no two weights are closer
    return max(float(np.median(one)), least), max(visible(scaled(_wide(case), 1 + DELTA)), least)


def _wide(case: Case) -> Case:
    """Weights in float64, in which a small change is not rounded."""
    return replace(case, weights={n: w.astype(np.float64) for n, w in case.weights.items()})


def _visible(part: Sample, base: Enclosure, altered: Enclosure, u: float) -> float:
    with np.errstate(all="ignore"):
        radius = np.maximum(np.broadcast_to(base.probable, base.mid.shape), u * np.abs(base.mid))
        size = DELTA * FACTOR * radius / np.abs(altered.mid - base.mid)
        noise = np.abs(altered.mid - base.mid) <= _own(np.asarray(base.limit), np.asarray(base.probable))
    return float(np.min(part.keep(np.where(np.isnan(size) | noise, np.inf, size)), initial=np.inf))
