"""The un-instrumented `predict` beside the chained reference.

Recording every layer changes what the graph fuses, and so the last bits (TRAPS 17). Both runs drift from the chained
reference by rounding alone, so `predict` may be FACTOR times as far away as the instrumented run is, never more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refconv.compare.drift import drift
from refconv.result import PlainResult

FACTOR = 8.0


def judge_plain(
    plain: Sequence[np.ndarray], instrumented: Sequence[np.ndarray], reference: Sequence[np.ndarray], slack: float
) -> PlainResult:
    """Judge `predict`.

    Args:
        plain, instrumented, reference: the model's outputs, one array per output.
        slack: the last layers' own largest probable bound: what a run may be off by whose instrumented twin happens to
            be exact.
    """
    if [p.shape for p in plain] != [r.shape for r in reference]:
        shapes = f"predict gave shapes {[p.shape for p in plain]}, the reference {[r.shape for r in reference]}"
        return PlainResult(np.inf, np.inf, ok=False, reason=shapes)
    apart, beside = drift(reference, plain), drift(reference, instrumented)
    if apart is None:
        return PlainResult(0.0, 0.0, ok=True)
    allowed = FACTOR * ((beside.max_abs_error if beside else 0.0) + slack)
    used = 0.0 if apart.max_abs_error == 0 else np.inf if allowed == 0 else apart.max_abs_error / allowed
    ok = bool(used <= 1.0)
    reason = "" if ok else "every layer may agree alone: only the un-instrumented graph of `predict` is wrong"
    return PlainResult(apart.max_abs_error, float(used), ok, reason)
