"""One row per elementwise function."""

from __future__ import annotations

from refconv.ops.functions import piecewise, smooth
from refconv.ops.functions.base import Function

FUNCTIONS: dict[str, Function] = {f.name: f for f in (*piecewise.FUNCTIONS, *smooth.FUNCTIONS)}
