"""Layers that Keras 3 computes otherwise on a backend than it says, or than on TensorFlow: what a mismatch there means.

Measured with Keras 3.15.1 on JAX 0.10.2 and PyTorch 2.14.1, CPU, over drawn layers of every row of the table
(`support/survey.py` of the tests). They are mismatches all the same: a model that is moved gives other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from refconv.graph import Node


@dataclass(frozen=True)
class Deviating:
    """One such layer: on which backend, of which type, with which attributes, and what it computes instead."""

    backend: str
    prefix: str
    applies: Callable[[Any], bool]
    said: str


def _bicubic(attrs: Any) -> bool:
    return getattr(attrs, "interpolation", "") == "bicubic"


def _same(attrs: Any) -> bool:
    return getattr(attrs, "padding", "") == "same"


def _always(attrs: Any) -> bool:
    return True


CUBIC_ON_JAX = "Keras on JAX computes bicubic's weights, which TensorFlow takes from a table of 1024 steps"
CUBIC_ON_TORCH = "PyTorch's bicubic is another one: its constant is −0.75, TensorFlow's is −0.5"
KNOWN = (
    Deviating("jax", "Resizing", _bicubic, CUBIC_ON_JAX),
    Deviating("jax", "UpSampling2D", _bicubic, CUBIC_ON_JAX),
    Deviating("torch", "Resizing", _bicubic, CUBIC_ON_TORCH),
    Deviating("torch", "UpSampling2D", _bicubic, CUBIC_ON_TORCH),
    Deviating(
        "jax", "Adaptive", _always,
        "Keras on JAX finds the windows of adaptive pooling in float32, where 7·k/7 may come out beside k: it reads "
        "another one then, or past the end",
    ),
    Deviating(
        "torch", "AveragePooling", _same,
        "Keras on PyTorch repeats the edge where SAME padding is uneven, and takes the mean over that too",
    ),
    Deviating(
        "torch", "ContrastLimitedAdaptiveHistogramEqualization", _always,
        "Keras on PyTorch equalizes to other grey levels than on TensorFlow",
    ),
)  # fmt: skip


def deviating(node: Node, environment: Mapping[str, Any]) -> str:
    """What the backend is known to compute instead; "" where nothing is known."""
    backend = environment.get("backend", "tensorflow")
    known = (k for k in KNOWN if k.backend == backend and node.type.startswith(k.prefix))
    return next((k.said for k in known if k.applies(node.attrs)), "")
