"""What belongs beneath a layer's line: the worst element, reasons, findings, and with -v what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from refconv.diagnose.words import times
from refconv.report.text import decibel, error, pair, share
from refconv.result import FAILING, Comparison, Finding, LayerResult, Missed, Power


def details(layer: LayerResult, verbose: bool) -> Iterator[str]:
    """One string per line, not yet escaped or broken."""
    if layer.reason:
        yield layer.reason
    if layer.arithmetic not in ("", "float32") and (verbose or layer.verdict in FAILING):
        yield f"declared arithmetic: {layer.arithmetic}"
    if layer.probe_reason:
        yield layer.probe_reason
    if layer.probe is not None and layer.probe.verdict in FAILING:
        yield from failure(layer.probe, "probe: ")
    for name, weight in layer.weights.items():
        if weight.verdict in FAILING:
            yield from failure(weight, f"effective {name}: ")
    for number, output in enumerate(layer.outputs):
        if output.verdict in FAILING:
            name = f"after a step, {output.name}" if output.name else f"output {number}"
            yield from failure(output, f"{name}: " if len(layer.outputs) > 1 else "")
    if layer.nondeterministic:
        yield "* not deterministic: it draws numbers at every call, and each is one that may be drawn"
    if layer.power is not None:
        yield from exposed(layer.power, verbose)
    for finding in layer.findings:
        yield from explained(finding, verbose)
    if verbose and (found := measured(layer)):
        yield "; ".join(found)


def explained(finding: Finding, verbose: bool) -> Iterator[str]:
    """What explains the layer's failure and how to put it right; with -v also how to see it, and what was excluded."""
    yield f"{finding.code} {finding.title}"
    yield from (f"  {said}" for said in (finding.evidence, finding.fix, finding.line) if said)
    if not verbose:
        return
    for tried in finding.tried:
        yield f"  not {tried.code} {tried.name}: {times(tried.left)}"
    if finding.command:
        yield f"  {finding.command}"


def failure(output: Comparison, name: str = "") -> Iterator[str]:
    """The worst element, and how many there are like it."""
    if output.slope is not None and not output.failing:
        return  # no element is wrong alone: the layer's reason says what all of them are together
    if output.worst is not None:
        expected, got = pair(output.worst.expected, output.worst.got)
        place = "[" + ",".join(map(str, output.worst.index)) + "]"
        yield f"{name}at {place} expected {expected} got {got} allowed ±{error(output.worst.allowed)}"
    if output.failing and prod(output.shape) > 1:
        yield f"{name}{output.failing} of {prod(output.shape)} elements are outside the bound"


def exposed(power: Power, verbose: bool) -> Iterator[str]:
    """The faults that the input would not have exposed; with -v also the smallest errors that it would have."""
    if power.missed:
        yield "would not have shown: " + ", ".join(map(_missed, power.missed))
    if not verbose:
        return
    least = {"one weight": power.smallest_weight_error, "all weights": power.smallest_scale_error}
    if said := [f"{what} off by {error(value)}" for what, value in least.items() if value is not None]:
        yield "would have shown: " + ", ".join(said)
    if power.equivalent:
        yield "no faults here: " + ", ".join(power.equivalent)
    if power.sampled:
        yield f"faults were tried on {power.sampled}"


def _missed(missed: Missed) -> str:
    return f"{missed.name} ({missed.reason or share(missed.ratio) + ' of the bound'})"


def measured(layer: LayerResult) -> list[str]:
    """Drift of the chained reference, largest error in ulps, and seconds."""
    worst, found = layer.worst, []
    if layer.chained is not None:
        found.append(f"chained {error(layer.chained.max_abs_error)}, {decibel(layer.chained.sqnr_db)}")
    if worst is not None:
        found.append(f"{worst.max_ulp_error:.3g} ulp")
        if worst.accumulator_bits:
            found.append(f"every partial sum fits {worst.accumulator_bits} bits")
        if worst.explained:
            found.append(f"{worst.explained} explained by the order of summation")
    if layer.probe is not None and layer.probe.verdict not in FAILING:
        found.append(f"probe {layer.probe.verdict.value}")
    if layer.seconds:
        found.append(f"{sum(layer.seconds.values()):.3f} s")
    return found
