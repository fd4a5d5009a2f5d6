"""Starts a framework in a process of its own and receives what it computed, layer by layer, as a Trace."""

from __future__ import annotations

from refconv.frameworks.chosen import keras_for
from refconv.frameworks.keeping import keeping
from refconv.frameworks.pool import Pool
from refconv.frameworks.probing import environment, probe
from refconv.frameworks.replaying import replay
from refconv.frameworks.stream import Stream, Whole
from refconv.frameworks.workers import Evaluation, Worker, early

__all__ = [
    "Evaluation",
    "Pool",
    "Stream",
    "Whole",
    "Worker",
    "early",
    "environment",
    "keras_for",
    "keeping",
    "probe",
    "replay",
]
