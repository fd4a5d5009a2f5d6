"""Does an altered layer call give what was observed? By the same bounds, and the same tests, as `check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.layer import compare_outputs
from refconv.compare.operands import enclose
from refconv.compare.stepwise import compare_steps
from refconv.compare.tensor import Explain, compare
from refconv.diagnose.alter import effective, quantizes
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Change, Question
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.reference.forward import step_names
from refconv.result import Comparison, Verdict

PASSING = Verdict.WITHIN.severity


@dataclass(frozen=True)
class Fit:
    """How what was observed lies beside one case.

    Attributes:
        verdict: what `check` would say.
        used: the largest error in units of the bound; inf where bits are demanded and another shape was observed.
        error: the largest error.
        index: where the bound was used most; () where nothing could be compared.
        weight: the effective weight that differs most, where one differs; "" for an output.
    """

    verdict: Verdict
    used: float
    error: float
    index: tuple[int, ...] = ()
    weight: str = ""

    @property
    def good(self) -> bool:
        return self.verdict.severity <= PASSING


def unchanged(question: Question) -> Change:
    """The call as the model says."""
    return Change("", question.case)


def fit(question: Question, change: Change, context: Context) -> Fit:
    """Under the candidate arithmetic that comes closest, as `check` takes it.

    Raises:
        UnreadableModel: the altered call cannot be computed.
    """
    weighed, case = weigh(question, change)
    candidates = (change.arithmetic,) if change.arithmetic else question.candidates
    best: tuple[Comparison, ...] | None = None
    for arithmetic in candidates:
        found = _compared(case, change, question.observed, replace(context, arithmetic=arithmetic))
        if best is None or _gravest(found) < _gravest(best):
            best = found
        if _gravest(best) <= PASSING:
            break
    return _fit(best or (), weighed)


def weigh(question: Question, change: Change) -> tuple[dict[str, Comparison], Case]:
    """The recorded effective weights compared, and the case with those of them that are right.

    What the framework records may be what the altered call multiplies by, or what the layer should have multiplied by
    (a quantizer that is reported, and not used). Near a tie the recorded code may be another than the reference's.
    """
    case, recorded = change.case, question.recorded
    if not recorded:
        return {}, case
    altered = _altered(question, case)
    weights, weighed = dict(case.weights), {}
    for name, own in question.effective.items():
        if name not in recorded or name not in weights:
            continue
        weighed[name] = compare(altered.get(name, own), recorded[name])
        if weighed[name].verdict.severity <= PASSING:
            weights[name] = recorded[name]
        elif name in altered and (asked := compare(own, recorded[name])).verdict.severity <= PASSING:
            weighed[name] = asked
    return weighed, replace(case, weights=weights)


def _altered(question: Question, case: Case) -> Mapping[str, Enclosure]:
    """Enclosures of the effective weights that the change makes."""
    base = question.case
    if quantizes(case) and (case.stored is not base.stored or case.attrs is not base.attrs):
        made = effective(case)  # of a case altered again after it was made, the weights are no longer those
        if all(np.array_equal(made[n].mid.astype(np.float32), w) for n, w in case.weights.items() if n in made):
            return made
    return {n: Enclosure(w.astype(np.float64)) for n, w in case.weights.items() if w is not base.weights.get(n)}


def enclosed(case: Case, change: Change, context: Context) -> tuple[tuple[Enclosure, ...], Explain | None]:
    """What the altered call gives, what follows it included, and stage 2 for its elements."""
    if step_names(case.node):
        return case.enclose(context), None
    found, explain = enclose(case.node, case.weights, case.inputs, context)
    if change.then is not None:
        with np.errstate(all="ignore"):
            found, explain = tuple(change.then(e, context) for e in found), None
    if change.after is None:
        return found, explain
    return tuple(_moved(e, change.after) for e in found), explain and _found_at(explain, change.after, found[0])


def _moved(e: Enclosure, f: Callable[[np.ndarray], np.ndarray]) -> Enclosure:
    """`Enclosure.move`, after a quantizer too."""
    filled = Enclosure(*(np.array(v) for v in e.full())).move(f)
    if e.lattices is None:
        return replace(filled, accumulator=e.accumulator)
    near, far = (_moved_lattice(lattice, e.mid.shape, f) for lattice in e.lattices)
    return replace(filled, lattices=(near, far))


def _moved_lattice(lattice: Any, shape: tuple[int, ...], f: Callable[[np.ndarray], np.ndarray]) -> Any:
    def whole(v: Any) -> np.ndarray:
        return f(np.array(np.broadcast_to(v, shape)))

    spans = lattice.spans and tuple((whole(low), whole(high)) for low, high in lattice.spans)
    ends = {name: whole(getattr(lattice, name)) for name in ("low", "high", "step", "power")}
    return replace(lattice, **ends, spans=spans)


def _found_at(explain: Explain, f: Callable[[np.ndarray], np.ndarray], before: Enclosure) -> Explain:
    """Stage 2 of a moved element: that of the place where it was."""
    places = f(np.arange(before.mid.size).reshape(before.mid.shape))
    return lambda index: explain(tuple(int(i) for i in np.unravel_index(int(places[index]), before.mid.shape)))


def _compared(case: Case, change: Change, observed: Sequence[Observation], context: Context) -> tuple[Comparison, ...]:
    whole, names = change.plain and all(o.whole for o in observed), step_names(case.node)
    values = [o.values for o in observed]
    if whole and names and case.steps:
        count = len(values) - len(names)
        steps = dict(zip(names, values[count:], strict=True))
        return compare_steps(case.node, case.weights, case.inputs, values[:count], context, steps=steps).tensors
    if whole and not names:
        return compare_outputs(case.node, case.weights, case.inputs, values, context).tensors
    return _partly(case, change, observed, context)


def _partly(case: Case, change: Change, observed: Sequence[Observation], context: Context) -> tuple[Comparison, ...]:
    """What was observed of a part, or not to the last bit, or after something else."""
    enclosures, explain = enclosed(case, change, replace(context, need=Need.WORST))
    storage, found = context.arithmetic.format, []
    for observation, enclosure in zip(observed, enclosures, strict=False):
        if not observation.fits(enclosure.mid.shape):
            return ()
        found.append(compare(enclosure, observation.filled(enclosure), explain, storage))
    return tuple(found)


def _gravest(found: Sequence[Comparison]) -> int:
    return max((c.verdict.severity for c in found), default=Verdict.MISMATCH.severity)


def _fit(found: Sequence[Comparison], weighed: Mapping[str, Comparison]) -> Fit:
    if not found:
        return Fit(Verdict.MISMATCH, np.inf, np.inf)
    tensors = [*(("", c) for c in found), *weighed.items()]
    verdict = max((c.verdict for _, c in tensors), key=lambda v: v.severity)
    name, worst = max(tensors, key=lambda pair: (pair[1].verdict.severity, pair[1].bound_used))
    used, error = (max(getattr(c, field) for _, c in tensors) for field in ("bound_used", "max_abs_error"))
    return Fit(verdict, used, error, worst.worst.index if worst.worst else (), name)
