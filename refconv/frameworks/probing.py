"""Which frameworks and devices can be used here, in which versions, and why not."""

from __future__ import annotations

from typing import Any

from refconv.errors import FrameworkError
from refconv.frameworks.process import Child


def environment(
    keras: int, *, backend: str = "tensorflow", timeout: float = 120.0, python: str | None = None
) -> dict[str, Any]:
    """Ask one worker about itself.

    Returns:
        `usable`, `reason` ("" if usable) and `environment` (versions, devices, oneDNN, threads …).
    """
    try:
        child = Child(keras, backend=backend, python=python)
    except FrameworkError as error:
        return _unusable(error)
    try:
        child.tell("probe")
        answers = [header for header, _ in child.frames(timeout) if header["kind"] == "probe"]
        return {name: answers[0][name] for name in ("usable", "reason", "environment")}
    except FrameworkError as error:
        return _unusable(error)
    finally:
        child.close()


def probe(*, timeout: float = 120.0, python: str | None = None) -> dict[str, dict[str, Any]]:
    """`environment` for "Keras 2" and "Keras 3", both on TensorFlow, and for "Keras 3 on jax" and "… torch"."""
    found = {f"Keras {major}": environment(major, timeout=timeout, python=python) for major in (2, 3)}
    others = {
        f"Keras 3 on {backend}": environment(3, backend=backend, timeout=timeout, python=python)
        for backend in ("jax", "torch")
    }
    return {**found, **others}


def _unusable(error: FrameworkError) -> dict[str, Any]:
    return {"usable": False, "reason": str(error), "environment": {}}
