"""Results with maps and histograms of errors, as large as a page has to bear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from support.results import RESULTS

from refconv.compare.spread import spread_of
from refconv.result import CheckResult, Comparison, Drift, Element, Finding, LayerResult, Verdict

SHAPE = (2, 20, 20, 4)
TYPES = ("Conv2D", "BatchNormalization", "ReLU")
SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = '"><img src=x onerror=alert(2)>\x1b[31m\n{{ 7*7 }}</style></title>'


def compared(shares: np.ndarray, verdict: Verdict, scale: float = 1e-6) -> Comparison:
    """An output whose elements used these shares (N, H, W, C) of a bound of `scale`."""
    index = tuple(int(i) for i in np.unravel_index(np.argmax(shares), shares.shape))
    used, failing = float(shares.max()), int(np.sum(shares > 1))
    worst = Element(index, 1.5, 1.5 + used * scale, scale)
    spread = spread_of(shares, (1, 2))
    certified = verdict is Verdict.EXACT
    return Comparison(shares.shape, verdict, certified, used * scale, 3.0, used, worst, failing, spread=spread)


def layer(number: int, *, wrong: bool = False, shape: tuple[int, ...] = SHAPE) -> LayerResult:
    """A convolution, a normalization or an exact ReLU, in turn; or a convolution that is wrong in one place."""
    kind = 0 if wrong else number % 3
    shares = np.random.default_rng(number).random(shape) ** 4 * (0.0 if kind == 2 else 0.4)
    if wrong:
        shares[0, 3:5, 4:6] = 5.0
    verdict = Verdict.MISMATCH if wrong else Verdict.EXACT if kind == 2 else Verdict.WITHIN
    name = f"stage{number // 40}/conv_{number}"
    outputs = (compared(shares, verdict, 1e-6 * (1 + number)),)
    drift = Drift(1e-6 * number, 1e5, 1e-7 * (number + 1))
    found = (Finding("RC101", "SAME is on the other side", "it explains 16 of 16 elements", "pad it yourself"),)
    more: dict[str, Any] = {"findings": found, "reason": "one place is wrong"} if wrong else {}
    return LayerResult(number + 1, name, name, TYPES[kind], verdict, outputs, chained=drift, **more)


def model(count: int, wrong: tuple[int, ...] = (), shape: tuple[int, ...] = SHAPE) -> CheckResult:
    layers = tuple(layer(n, wrong=n in wrong, shape=shape) for n in range(count))
    return replace(RESULTS["pass"], layers=layers)


def hostile() -> CheckResult:
    """Whatever a file may call its parts is markup, a template or a terminal's escape sequence."""
    finding = Finding(SCRIPT, SCRIPT, ATTRIBUTE, ATTRIBUTE)
    bad = replace(layer(0, wrong=True), name=SCRIPT, path=SCRIPT, type=ATTRIBUTE, reason=SCRIPT, findings=(finding,))
    other = replace(layer(1), name=ATTRIBUTE, path=ATTRIBUTE)
    found = replace(RESULTS["pass"], layers=(bad, other), notes=(SCRIPT, ATTRIBUTE))
    return replace(
        found, model=replace(found.model, path=SCRIPT), environment={SCRIPT: ATTRIBUTE, "tensorflow": SCRIPT}
    )
