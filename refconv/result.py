"""Finished results, known to renderers and tests. Nothing here computes more than a count or a maximum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite, log10
from typing import Any


class Verdict(StrEnum):
    """From the gravest down: the first that holds for any output is the layer's."""

    MISMATCH = "mismatch"
    DEGRADED = "degraded"
    SUSPECT = "suspect"
    UNVERIFIED = "unverified"
    VACUOUS = "vacuous"
    WITHIN = "within"
    EXACT = "exact"

    @property
    def severity(self) -> int:
        return len(Verdict) - list(Verdict).index(self)


@dataclass(frozen=True)
class Element:
    """One element: its index, the reference's value, the framework's, and the deviation allowed."""

    index: tuple[int, ...]
    expected: float
    got: float
    allowed: float


EXPONENTS = range(-14, 8)  # a bin of a Spread ends at each of these powers of two


@dataclass(frozen=True)
class Spread:
    """How the errors of a tensor, in units of the probable bound, are spread over its elements (compare/spread.py).

    Attributes:
        counts: elements that are equal to the reference's; then those in (…, 2⁻¹⁴], (2⁻¹⁴, 2⁻¹³] … (2⁶, 2⁷]; then those
            beyond, which are 24 numbers.
        grid: the largest share in each cell, row by row; () for a tensor of no elements.
        axes: of the tensor, those that the grid's rows and columns are; None for a grid of one row or of one column.
        cell: how many elements of each of the two axes one cell spans.
    """

    counts: tuple[int, ...]
    grid: tuple[tuple[float, ...], ...] = ()
    axes: tuple[int | None, int | None] = (None, None)
    cell: tuple[int, int] = (1, 1)

    def place(self, index: tuple[int, ...]) -> tuple[int, int]:
        """Row and column of the cell that an element is in."""
        row, column = (0 if axis is None else index[axis] // n for axis, n in zip(self.axes, self.cell, strict=True))
        return row, column


@dataclass(frozen=True)
class Comparison:
    """One output tensor compared element by element.

    `bound_used` is the largest share of the probable bound that any element used (0 where all are equal,
    inf where a bound of zero was left); `certified` says that bit equality was demanded of every element. `name` is
    that of a tensor inside the layer, what its steps left ("c"); "" for an output.
    """

    shape: tuple[int, ...]
    verdict: Verdict
    certified: bool
    max_abs_error: float
    max_ulp_error: float
    bound_used: float
    worst: Element | None = None
    failing: int = 0  # elements outside the probable bound after stage 2
    explained: int = 0  # elements outside stage 1 that stage 2 explained
    slope: float | None = None  # the tensor's error of scale in units of u, where it can be told (compare/slope.py)
    accumulator_bits: int | None = None  # of a certified sum: a signed integer of so many bits holds every partial sum
    name: str = ""
    spread: Spread | None = None  # where it was asked for


@dataclass(frozen=True)
class Drift:
    """How far the framework has moved from the reference that ran on its own values."""

    max_abs_error: float
    signal: float  # Σy² of the reference
    noise: float  # Σ(ŷ−y)²

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization-noise ratio in dB; inf where nothing differs."""
        if self.noise == 0.0:
            return inf
        return 10 * log10(self.signal / self.noise) if self.signal > 0.0 and isfinite(self.noise) else -inf


@dataclass(frozen=True)
class Tried:
    """A change that does not explain a mismatch; `left` is the error beside it in units of the bound."""

    code: str
    name: str
    left: float


@dataclass(frozen=True)
class Finding:
    """A reason for a mismatch, from `diagnose`.

    Attributes:
        code: the rule's, joined by "+" where two explain it together; RC9xx where nothing is certain.
        title: what the layer did instead.
        evidence, fix: one sentence each.
        line: code that does it right, where a line of it helps.
        before, after: the largest error in units of the bound, as the model says and so altered; None where not known.
        command: what shows it again.
        tried: what was excluded, the nearest first, where nothing explains it.
    """

    code: str
    title: str
    evidence: str
    fix: str = ""
    line: str = ""
    before: float | None = None
    after: float | None = None
    command: str = ""
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True)
class Missed:
    """A fault that the input would not have exposed; `ratio` is its largest deviation in units of the bound."""

    name: str
    ratio: float
    reason: str = ""


@dataclass(frozen=True)
class Power:
    """Whether a layer's check could have failed (compare/power.py).

    Attributes:
        caught: faults that would have been reported.
        by_shape: those of them that change the output's shape, which shows whatever the numbers are.
        missed: faults that would not.
        equivalent: faults that are none in this layer, whatever its input: a bias of zeros left out.
        smallest_weight_error, smallest_scale_error: relative, of one weight of median effect and of all weights; None
            where there is no such thing.
        sampled: the part of the layer that was asked; "" for all of it.
    """

    caught: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()
    equivalent: tuple[str, ...] = ()
    by_shape: tuple[str, ...] = ()
    smallest_weight_error: float | None = None
    smallest_scale_error: float | None = None
    sampled: str = ""

    @property
    def applicable(self) -> int:
        return len(self.caught) + len(self.missed)

    @property
    def by_value(self) -> bool:
        """Whether any fault would have shown in the numbers."""
        return len(self.caught) > len(self.by_shape)


@dataclass(frozen=True)
class LayerResult:
    """One layer call. `outputs` is empty where nothing was compared; `reason` then says why.

    Of a layer made of steps, what every step left stands in `outputs` after the outputs, under its name.

    Where the layer is quantized, the effective weights that the framework used have a verdict of their own, and the
    outputs are judged with them.
    """

    index: int
    name: str
    path: str
    type: str
    verdict: Verdict
    outputs: tuple[Comparison, ...] = ()
    weights: Mapping[str, Comparison] = field(default_factory=dict)  # effective weights of a quantized layer
    reason: str = ""
    arithmetic: str = ""  # that was declared; "" where the layer was not judged
    chained: Drift | None = None
    findings: tuple[Finding, ...] = ()
    nondeterministic: bool = False  # two runs may give other values
    power: Power | None = None  # None where it was not asked for, or no fault applies
    seconds: Mapping[str, float] = field(default_factory=dict)
    probe: Comparison | None = None  # of a clone of the layer on small integers (compare/probe.py)
    probe_reason: str = ""  # why a linear layer was not probed, or what its probe showed but equality

    @property
    def worst(self) -> Comparison | None:
        """The output that decides: the gravest, then the one that used most of its bound."""
        return max(self.outputs, key=lambda o: (o.verdict.severity, o.bound_used), default=None)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the output that decides, of the first one where a step does."""
        worst = self.outputs[0] if self.worst and self.worst.name else self.worst
        return worst.shape if worst else None


@dataclass(frozen=True)
class PlainResult:
    """The un-instrumented `predict` beside the chained reference (bound: see compare/plain.py)."""

    max_abs_difference: float
    bound_used: float
    ok: bool
    reason: str = ""


@dataclass(frozen=True)
class ModelInfo:
    path: str
    format: str
    keras_version: str
    backend: str
    sha256: str


FAILING = (Verdict.MISMATCH, Verdict.DEGRADED, Verdict.SUSPECT)


@dataclass(frozen=True)
class Policy:
    """What the user lets pass."""

    lenient: bool = False
    strict: bool = False
    allow_unverified: bool = False


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer that quantizes, in plain words by what it quantizes: kernel, bias, activation …"""

    name: str
    quantizers: Mapping[str, str]


@dataclass(frozen=True)
class CheckResult:
    """The whole answer of one check."""

    model: ModelInfo
    layers: tuple[LayerResult, ...]
    plain: PlainResult | None
    environment: Mapping[str, Any]
    input: Mapping[str, Any]
    partial: bool = False
    policy: Policy = Policy()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    quantized: tuple[QuantizedLayer, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(layer.verdict.value for layer in self.layers)
        verified = len(self.layers) - found["unverified"]
        flagged = sum(layer.nondeterministic for layer in self.layers)
        by_verdict = {
            v: found[v] for v in ("exact", "within", "suspect", "degraded", "mismatch", "vacuous", "unverified")
        }
        return {"layers": len(self.layers), "verified": verified, **by_verdict, "nondeterministic": flagged}

    @property
    def spread(self) -> tuple[int, ...]:
        """The counts of all outputs' spreads; () where none was asked for."""
        found = [output.spread.counts for layer in self.layers for output in layer.outputs if output.spread]
        return tuple(map(sum, zip(*found, strict=True)))

    @property
    def verdict(self) -> str:
        """pass, fail or incomplete. Zero comparisons is never a pass."""
        counts = self.counts
        forgiven = counts["suspect"] if self.policy.lenient else 0
        if sum(counts[v.value] for v in FAILING) > forgiven or (self.plain is not None and not self.plain.ok):
            return "fail"
        unfinished = counts["unverified"] and not self.policy.allow_unverified
        hollow = counts["vacuous"] and self.policy.strict
        return "incomplete" if unfinished or hollow or not counts["verified"] else "pass"

    @property
    def exit_code(self) -> int:
        return {"pass": 0, "fail": 1, "incomplete": 3}[self.verdict]


@dataclass(frozen=True)
class Explanation:
    """Why a layer's output that somebody got is not what the model says; or that it is.

    Attributes:
        verdict: what `check` would say of these values.
        observed: what was observed, in words.
        shape: of the layer's output.
        error, used: the largest error, and in units of the bound; `index` is where.
        findings: the simplest explanation first; empty where the values agree.
        notes: what limits the answer.
        reason: why there is none, where there is none.
    """

    model: str
    layer: str
    type: str
    verdict: Verdict
    observed: str
    shape: tuple[int, ...] = ()
    error: float = 0.0
    used: float = 0.0
    index: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0

    @property
    def agrees(self) -> bool:
        return self.verdict in (Verdict.EXACT, Verdict.WITHIN)

    @property
    def explained(self) -> bool:
        return any(not finding.code.startswith("RC9") for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 agrees, 1 differs, 3 where it cannot be told: no reference, or improbable and unexplained."""
        if self.agrees:
            return 0
        return 1 if self.verdict in (Verdict.MISMATCH, Verdict.DEGRADED) or self.explained else 3
