"""The piecewise linear sigmoids and tanhs that QKeras lets an activation name: nothing is quantized but by binary_*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refconv.numerics.formats import Field
from refconv.quantizers.base import Quantizer
from refconv.quantizers.float32 import Nudge, hard_sigmoid, smooth_sigmoid, through


class Helper(Quantizer):
    """A function without parameters."""

    words: ClassVar[str]

    def describe(self) -> str:
        return self.words

    def _carrier(self, x: np.ndarray) -> None:
        return None

    def _codes(self, x: np.ndarray, levels: np.ndarray) -> np.ndarray | None:
        return super()._codes(x, levels) if self._step() else None

    @property
    def range(self) -> tuple[float, float]:
        return (-1.0 if self.name.endswith("tanh") else 0.0), 1.0


def _tanh(sigmoid: np.ndarray) -> np.ndarray:
    return np.float32(2) * sigmoid - np.float32(1)


@dataclass(frozen=True)
class HardSigmoid(Helper):
    """clip(0.5x + 0.5, 0, 1)."""

    name: ClassVar[str] = "hard_sigmoid"
    words: ClassVar[str] = "hard sigmoid clip(x/2 + 1/2, 0, 1), not quantized"

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return hard_sigmoid(x)


@dataclass(frozen=True)
class SmoothSigmoid(Helper):
    """clip(0.1875x + 0.5, 0, 1)."""

    name: ClassVar[str] = "smooth_sigmoid"
    words: ClassVar[str] = "smooth sigmoid clip(3x/16 + 1/2, 0, 1), not quantized"

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return smooth_sigmoid(x)


@dataclass(frozen=True)
class BinarySigmoid(Helper):
    """round(hard_sigmoid(x)), half to even: 0 up to x = 0."""

    name: ClassVar[str] = "binary_sigmoid"
    words: ClassVar[str] = "0 up to x = 0, then 1"

    @property
    def codes_range(self) -> tuple[int, int]:
        return 0, 1

    def _step(self) -> Field:
        return 1.0

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return through(hard_sigmoid(x))


@dataclass(frozen=True)
class HardTanh(Helper):
    """2·hard_sigmoid(x) − 1."""

    name: ClassVar[str] = "hard_tanh"
    words: ClassVar[str] = "hard tanh clip(x, −1, 1), not quantized"

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return _tanh(hard_sigmoid(x))


@dataclass(frozen=True)
class SmoothTanh(Helper):
    """2·smooth_sigmoid(x) − 1."""

    name: ClassVar[str] = "smooth_tanh"
    words: ClassVar[str] = "smooth tanh clip(3x/8, −1, 1), not quantized"

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return _tanh(smooth_sigmoid(x))


@dataclass(frozen=True)
class BinaryTanh(Helper):
    """2·binary_sigmoid(x) − 1."""

    name: ClassVar[str] = "binary_tanh"
    words: ClassVar[str] = "−1 up to x = 0, then +1"

    @property
    def codes_range(self) -> tuple[int, int]:
        return -1, 1

    def _step(self) -> Field:
        return 1.0

    def _levels(self, x: np.ndarray, nudge: Nudge) -> np.ndarray:
        return _tanh(through(hard_sigmoid(x)))
