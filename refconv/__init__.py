"""Verifies a Keras or QKeras model layer by layer with an independent NumPy reference.

The public names are imported when they are first used, so that `import refconv` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refconv.errors import RefconvError
    from refconv.formats import load
    from refconv.inventory.difference import diff
    from refconv.inventory.edit import edit
    from refconv.inventory.weights import weights
    from refconv.ops.registered import register
    from refconv.pipeline import Options, check, evaluate, explain, pixel, run
    from refconv.result import CheckResult, Policy, Verdict
    from refconv.scoring.result import EvaluateResult

__version__ = "0.1.0"

__all__ = [
    "CheckResult",
    "EvaluateResult",
    "Options",
    "Policy",
    "RefconvError",
    "Verdict",
    "check",
    "diff",
    "edit",
    "evaluate",
    "explain",
    "load",
    "pixel",
    "register",
    "run",
    "weights",
]

_HOME = {
    "CheckResult": "refconv.result",
    "EvaluateResult": "refconv.scoring.result",
    "Options": "refconv.pipeline",
    "Policy": "refconv.result",
    "RefconvError": "refconv.errors",
    "Verdict": "refconv.result",
    "check": "refconv.pipeline",
    "diff": "refconv.inventory.difference",
    "edit": "refconv.inventory.edit",
    "evaluate": "refconv.pipeline",
    "explain": "refconv.pipeline",
    "load": "refconv.formats",
    "pixel": "refconv.pipeline",
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
