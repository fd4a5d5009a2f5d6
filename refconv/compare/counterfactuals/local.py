"""Faults of layers with a kernel at every position: its order, its positions, and where a window lies."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.locally_connected import LocallyConnected, decoded, exchanged, local_window
from refconv.ops.spatial import CHANNELS_FIRST
from refconv.primitives.geometry import Pads, Window, window

LOCAL = (LocallyConnected,)


def _shape(case: Case) -> tuple[int, ...]:
    """(*spatial, C) of the input."""
    shape = case.inputs[0].shape[1:]
    return (*shape[1:], shape[0]) if case.attrs.data_format == CHANNELS_FIRST else shape


def _where(case: Case) -> Window:
    return local_window(case.attrs, _shape(case)[:-1])


def _kernel(case: Case) -> np.ndarray:
    """(positions, *k, C, filters)."""
    attrs, where, shape = case.attrs, _where(case), _shape(case)
    kernel = decoded(attrs, case.weights["kernel"], where, shape)
    return kernel.reshape(len(kernel), *attrs.kernel_size, shape[-1], attrs.filters)


def _explicit(case: Case, kernel: np.ndarray, pads: Pads | None = None) -> Case:
    """The case with this kernel, padded by hand, in the first implementation, in which every fault can be written."""
    first, attrs = case.attrs.data_format == CHANNELS_FIRST, case.attrs
    given = _where(case).pads if pads is None else pads
    around = ((0, 0), (0, 0), *given) if first else ((0, 0), *given, (0, 0))
    flat = kernel.reshape(len(kernel), -1, attrs.filters)
    flat = exchanged(flat, prod(attrs.kernel_size)) if first else flat
    padded = replace(case.with_attrs(implementation=1, padding="valid"), inputs=(np.pad(case.inputs[0], around),))
    return padded.with_weights(kernel=flat)


def _flipped(case: Case) -> Case:
    rank = len(case.attrs.kernel_size)
    return _explicit(case, np.flip(_kernel(case), tuple(range(1, 1 + rank))))


def _windowed(case: Case) -> bool:
    return max(case.attrs.kernel_size) > 1


def _next(case: Case) -> Case:
    return _explicit(case, np.roll(_kernel(case), 1, axis=0))


def _several(case: Case) -> bool:
    return prod(_where(case).out) > 1


def _pads(case: Case) -> Pads:
    """Those of a convolution."""
    attrs = case.attrs
    return window(_shape(case)[:-1], attrs.kernel_size, attrs.strides, padding="same").pads


def _as_convolution(case: Case) -> Case:
    return _explicit(case, _kernel(case), _pads(case))


def _otherwise_padded(case: Case) -> bool:
    return case.attrs.padding == "same" and _pads(case) != _where(case).pads


ROWS = (
    Counterfactual("kernel flipped", LOCAL, _flipped, _windowed),
    Counterfactual("the next position's kernel", LOCAL, _next, _several),
    Counterfactual("padded as a convolution is", LOCAL, _as_convolution, _otherwise_padded),
)
