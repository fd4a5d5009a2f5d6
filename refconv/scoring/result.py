"""A finished evaluation, known to renderers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refconv.result import Policy, Verdict


@dataclass(frozen=True)
class Score:
    """One number: the loss, one output's loss, a metric.

    Attributes:
        name: what the framework reports it as.
        said: what it is.
        low, value, high: what a conforming run may give; `value` is the reference's.
        got: the framework's; None where it gave none.
        verdict: mismatch, unverified, vacuous (nothing in [0, 1] would have been refused), within, or exact.
        counts: "9 of 10 samples"; "" where it is no fraction.
        by: the name that shapes resolved ("accuracy").
        reason: why it is unverified.
    """

    name: str
    said: str
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    got: float | None = None
    counts: str = ""
    by: str = ""
    reason: str = ""

    @property
    def bound_used(self) -> float:
        """Share of the way from the value to the end of the range, on the side where the framework's lies."""
        if self.got is None or self.value is None or self.low is None or self.high is None or self.got == self.value:
            return 0.0
        room = self.high - self.value if self.got > self.value else self.value - self.low
        return abs(self.got - self.value) / room if room else float("inf")


@dataclass(frozen=True)
class Reading:
    """What the same name would have given in another sense, on the same data."""

    output: str
    name: str
    said: str
    value: float
    counts: str
    note: str = ""


@dataclass(frozen=True)
class PredictionsResult:
    """The framework's `predict` beside the reference, and what rounding allows."""

    output: str
    shape: tuple[int, ...]
    max_abs_difference: float
    bound_used: float  # the largest share of what is allowed in its sample

    @property
    def ok(self) -> bool:
        return self.bound_used <= 1


@dataclass(frozen=True)
class EvaluateResult:
    """The whole answer of one evaluation."""

    path: str
    keras: int
    written_by: str
    compiled_by: str
    samples: int
    batch: int
    scores: tuple[Score, ...]
    readings: tuple[Reading, ...]
    predictions: tuple[PredictionsResult, ...]
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    policy: Policy = Policy()
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(score.verdict.value for score in self.scores)
        return {v: found[v] for v in ("mismatch", "unverified", "vacuous", "within", "exact")}

    @property
    def verdict(self) -> str:
        """pass, fail or incomplete. Zero comparisons is never a pass."""
        counts = self.counts
        if counts["mismatch"] or not all(p.ok for p in self.predictions):
            return "fail"
        compared = counts["within"] + counts["exact"] + counts["vacuous"]
        unfinished = counts["unverified"] and not self.policy.allow_unverified
        return "incomplete" if unfinished or not compared else "pass"

    @property
    def exit_code(self) -> int:
        return {"pass": 0, "fail": 1, "incomplete": 3}[self.verdict]
