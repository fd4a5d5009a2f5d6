"""The results of a layer on several slices of the samples, as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf, nan

from refconv.compare.spread import joined
from refconv.result import Comparison, Drift, Element, LayerResult, Verdict


def merge(results: Sequence[LayerResult], starts: Sequence[int]) -> LayerResult:
    """One result for all samples: the gravest verdict, and agreement proves something if it does on any slice.

    Args:
        results: the same layer call's, slice by slice.
        starts: the number of each slice's first sample.
    """
    if len(results) == 1:
        return results[0]
    judged = [r for r in results if r.verdict is not Verdict.VACUOUS] or results
    gravest = max(judged, key=lambda r: r.verdict.severity)
    alike = all(len(r.outputs) == len(gravest.outputs) for r in results)
    columns = zip(*(r.outputs for r in results), strict=True) if alike else ()
    drifts = [r.chained for r in results if r.chained]
    return replace(
        gravest,
        outputs=tuple(_comparison(column, starts) for column in columns) or gravest.outputs,
        weights={name: _gravest([r.weights[name] for r in results if name in r.weights]) for name in gravest.weights},
        chained=_drift(drifts) if len(drifts) == len(results) else None,
        nondeterministic=any(r.nondeterministic for r in results),
        power=results[0].power,
        findings=next((r.findings for r in results if r.findings), ()),
        probe=results[0].probe,
        probe_reason=results[0].probe_reason,
        seconds={name: sum(r.seconds.get(name, 0.0) for r in results) for name in gravest.seconds},
    )


def _comparison(parts: Sequence[Comparison], starts: Sequence[int]) -> Comparison:
    gravest = _gravest(parts)
    slopes = [c.slope for c in parts if c.slope is not None]
    bits = [c.accumulator_bits for c in parts]
    return replace(
        gravest,
        shape=(sum(c.shape[0] for c in parts), *gravest.shape[1:]) if gravest.shape else (),
        certified=all(c.certified for c in parts),
        max_abs_error=_largest(c.max_abs_error for c in parts),
        max_ulp_error=_largest(c.max_ulp_error for c in parts),
        bound_used=_largest(c.bound_used for c in parts),
        worst=_moved(gravest.worst, starts[list(parts).index(gravest)]),
        failing=sum(c.failing for c in parts),
        explained=sum(c.explained for c in parts),
        slope=max(slopes, key=abs, default=None),
        accumulator_bits=max((b for b in bits if b), default=None) if all(bits) else None,
        spread=joined([c.spread for c in parts if c.spread]),
    )


def _gravest(parts: Sequence[Comparison]) -> Comparison:
    return max(parts, key=lambda c: (c.verdict.severity, c.bound_used))


def _moved(element: Element | None, start: int) -> Element | None:
    if element is None or not element.index:
        return element
    return replace(element, index=(element.index[0] + start, *element.index[1:]))


def _largest(values: Iterable[float]) -> float:
    """NaN where one is."""
    found = list(values)
    return nan if any(v != v for v in found) else max(found, default=-inf)


def _drift(parts: Sequence[Drift]) -> Drift:
    return Drift(_largest(p.max_abs_error for p in parts), sum(p.signal for p in parts), sum(p.noise for p in parts))
