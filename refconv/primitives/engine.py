"""The few loops that every op reduces to. `numpy_engine` is the oracle; a faster engine proves itself equal to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from refconv.primitives.geometry import Window


@dataclass(frozen=True)
class Sums:
    """Sums over the terms t of each output element: y = Σ t, and where asked q = Σ t² and a = Σ |t|.

    q may be rounded up, by no more than a thousandth: it stands for a variance.
    """

    y: np.ndarray
    q: np.ndarray | None = None
    a: np.ndarray | None = None


@dataclass(frozen=True)
class Extent:
    """Largest magnitude of a tensor (NaN or inf where one is not finite) and smallest but zero (inf where all are)."""

    most: float
    least: float


class Engine(Protocol):
    """All tensors are channels-last (N, *spatial, C), of any spatial rank: float32 or float64 in, float64 out."""

    name: str

    def correlate(self, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1) -> np.ndarray:
        """Cross-correlation: kernel (*k, C/groups, F), result (N, *out, F); padding counts as zero."""
        ...

    def matmul(self, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """(…, C) by (C, F)."""
        ...

    def window_max(self, x: np.ndarray, window: Window) -> np.ndarray:
        """Largest value of each window; padding never wins, NaN propagates."""
        ...

    def window_sum(self, x: np.ndarray, window: Window) -> np.ndarray:
        """Sum of each window; padding counts as zero."""
        ...

    def correlate_sums(
        self, x: np.ndarray, kernel: np.ndarray, window: Window, groups: int = 1, *, worst: bool = True
    ) -> Sums:
        """`correlate` with q, and where the `worst` case is wanted a."""
        ...

    def matmul_sums(self, x: np.ndarray, kernel: np.ndarray, *, worst: bool = True) -> Sums:
        """`matmul` with q, and where the `worst` case is wanted a."""
        ...

    def window_sums(self, x: np.ndarray, window: Window, *, worst: bool = True) -> Sums:
        """`window_sum` with q, and where the `worst` case is wanted a."""
        ...

    def extent(self, x: np.ndarray) -> Extent:
        """The range of the magnitudes of floats of any shape."""
        ...
