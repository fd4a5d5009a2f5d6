"""Verifies a Keras or QKeras model layer by layer with an independent NumPy reference.

The public names are imported when they are first used, so that `import refconv` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refconv.errors import RefconvError
    from refconv.formats import load
    from refconv.frameworks import Pool
    from refconv.inventory.difference import diff
    from refconv.inventory.edit import edit
    from refconv.inventory.weights import weights
    from refconv.ops.registered import register
    from refconv.pipeline import Options, capture, check, evaluate, explain, pixel, run
    from refconv.report.reduction import reduce
    from refconv.result import Captured, CheckResult, Policy, Verdict
    from refconv.scoring.result import EvaluateResult

__version__ = "0.1.0"

__all__ = [
    "Captured",
    "CheckResult",
    "EvaluateResult",
    "Options",
    "Policy",
    "Pool",
    "RefconvError",
    "Verdict",
    "capture",
    "check",
    "diff",
    "edit",
    "evaluate",
    "explain",
    "load",
    "pixel",
    "reduce",
    "register",
    "run",
    "weights",
]

_HOME = {
    "Captured": "refconv.result",
    "CheckResult": "refconv.result",
    "EvaluateResult": "refconv.scoring.result",
    "Options": "refconv.pipeline",
    "Policy": "refconv.result",
    "Pool": "refconv.frameworks",
    "RefconvError": "refconv.errors",
    "Verdict": "refconv.result",
    "capture": "refconv.pipeline",
    "check": "refconv.pipeline",
    "diff": "refconv.inventory.difference",
    "edit": "refconv.inventory.edit",
    "evaluate": "refconv.pipeline",
    "explain": "refconv.pipeline",
    "load": "refconv.formats",
    "pixel": "refconv.pipeline",
    "reduce": "refconv.report.reduction",
    "register": "refconv.ops.registered",
    "run": "refconv.pipeline",
    "weights": "refconv.inventory.weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'refconv' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
