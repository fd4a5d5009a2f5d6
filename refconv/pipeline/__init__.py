"""check(), evaluate(), explain(), pixel() and run(): the only package that names every stage."""

from __future__ import annotations

from refconv.pipeline.by_hand import Pixel, pixel
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
    "check",
    "draw_inputs",
    "evaluate",
    "explain",
    "pixel",
    "run",
    "select",
    "verify",
]
