"""The engines by name."""

from __future__ import annotations

from refconv.errors import BadInput
from refconv.primitives.engine import Engine


def get(name: str) -> Engine:
    """The engine called `name`; each is imported only when asked for."""
    if name == "numpy":
        from refconv.primitives.numpy_engine import ENGINE

        return ENGINE
    if name == "numba":
        from refconv.primitives import numba_engine

        return numba_engine.ENGINE
    raise BadInput(f"there is no engine {name!r}", where="--engine", hint="numba, numpy")
