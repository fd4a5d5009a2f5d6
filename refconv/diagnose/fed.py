"""Model inputs altered, for rules: the pixels that an input was made of, and what else is made of pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from refconv.diagnose.rule import Change, Question
from refconv.numerics.formats import is_float

Array = np.ndarray
Make = Callable[[Array], Array]

LEVELS = 255
NEAR = 2.0**-6  # of a level: how far float32 arithmetic may have left a pixel from its integer

CAFFE = np.array([103.939, 116.779, 123.68], np.float32)  # ImageNet's mean: blue, green, red
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

ONE, HALF = np.float32(1), np.float32(127.5)


def _undone_torch(x: Array) -> Array:
    return (x * DEVIATION + MEAN) * LEVELS


# How a float32 input is made of pixels, and back; those with a mean for each colour want three channels, last.
MADE: Mapping[str, tuple[Make, Make]] = {
    "pixels": (lambda p: p, lambda x: x),
    "pixels/255": (lambda p: p / np.float32(255), lambda x: x * 255),
    "pixels/256": (lambda p: p / np.float32(256), lambda x: x * 256),
    "pixels/127.5 - 1": (lambda p: p / HALF - ONE, lambda x: (x + 1) * 127.5),
    "pixels/128 - 1": (lambda p: p / np.float32(128) - ONE, lambda x: (x + 1) * 128),
    "(pixels/255 - mean)/deviation": (lambda p: (p / np.float32(255) - MEAN) / DEVIATION, _undone_torch),
    "pixels in BGR - mean": (lambda p: p[..., ::-1] - CAFFE, lambda x: (x + CAFFE)[..., ::-1]),
}
SCALED = ("pixels", "pixels/255", "pixels/256")
COLOURED = ("(pixels/255 - mean)/deviation", "pixels in BGR - mean")


def given_as(x: Array) -> tuple[str, Array] | None:
    """How `x` was made, and the pixels; None where it was made of no integers in 0…255."""
    for name, (_, undo) in MADE.items():
        if name in COLOURED and not coloured(x):
            continue
        pixels = undo(x.astype(np.float64))
        near = np.clip(np.rint(pixels), 0, LEVELS)
        if np.abs(pixels - near).max(initial=0.0) <= NEAR:
            return name, near.astype(np.float32)
    return None


def coloured(x: Array) -> bool:
    return x.ndim == 4 and x.shape[-1] == 3


def rerun(question: Question, label: str, x: Array, fix: str = "", line: str = "") -> Iterator[Change]:
    """The layer's call where the model is fed `x` in place of its only image or its only input."""
    place = image(question)
    if question.rerun is None or place is None:
        return
    arrays = list(question.model_inputs)
    if x.shape != arrays[place].shape or np.array_equal(x, arrays[place]):
        return
    arrays[place] = x
    inputs = question.rerun(arrays)
    if inputs is not None:
        yield Change(label, replace(question.case, inputs=tuple(inputs)), fix, line)


def image(question: Question) -> int | None:
    """Which of the model's inputs holds floats, where it is the only one."""
    floats = [n for n, x in enumerate(question.model_inputs) if is_float(np.asarray(x).dtype)]
    return floats[0] if len(floats) == 1 else None


def fed(question: Question) -> Array | None:
    """The model's only float input, float32; None where it has several, or only the layer's inputs are known."""
    place = image(question)
    if question.rerun is None or place is None:
        return None
    return np.asarray(question.model_inputs[place]).astype(np.float32)
