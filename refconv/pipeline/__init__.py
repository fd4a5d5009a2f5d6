"""check(), check_backends(), capture(), evaluate() …, run(): the only package that names every stage."""

from __future__ import annotations

from refconv.pipeline.backends import check_backends
from refconv.pipeline.by_hand import Pixel, pixel
from refconv.pipeline.capturing import capture
from refconv.pipeline.evaluating import evaluate
from refconv.pipeline.explaining import explain
from refconv.pipeline.model import Run, check, draw_inputs, run, select, verify
from refconv.pipeline.options import Given, OnLayer, Options, Progress

__all__ = [
    "Given",
    "OnLayer",
    "Options",
    "Pixel",
    "Progress",
    "Run",
    "capture",
    "check",
    "check_backends",
    "draw_inputs",
    "evaluate",
    "explain",
    "pixel",
    "run",
    "select",
    "verify",
]
