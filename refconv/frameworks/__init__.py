"""Starts a framework in a process of its own and receives what it computed, layer by layer, as a Trace."""

from __future__ import annotations

from refconv.frameworks.probing import environment, probe
from refconv.frameworks.stream import Stream, Whole
from refconv.frameworks.workers import Evaluation, Worker, early

__all__ = ["Evaluation", "Stream", "Whole", "Worker", "early", "environment", "probe"]
