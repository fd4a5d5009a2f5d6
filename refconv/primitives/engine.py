"""The few loops that every op reduces to. `numpy_engine` is the oracle; a faster engine proves itself equal to it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from refconv.primitives.geometry import Window


class Engine(Protocol):
    """All tensors are channels-last (N, *spatial, C), of any spatial rank, float64 in and out."""

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
