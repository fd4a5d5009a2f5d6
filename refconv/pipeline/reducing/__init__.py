"""The smallest case in which a framework still computes something else than the model says."""

from __future__ import annotations

from refconv.pipeline.reducing.result import Reduced, Saved
from refconv.pipeline.reducing.whole import SECONDS, reduce

__all__ = ["SECONDS", "Reduced", "Saved", "reduce"]
