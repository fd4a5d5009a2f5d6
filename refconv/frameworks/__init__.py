"""Starts a framework in a process of its own and receives what it computed, layer by layer, as a Trace."""

from __future__ import annotations

from refconv.frameworks.workers import Worker, capture
from refconv.frameworks.probing import environment, probe

__all__ = ["Worker", "capture", "environment", "probe"]
