"""Faults of kernels and biases: their axes, their order, their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.bidirectional import Bidirectional
from refconv.ops.conv_lstm import ConvLSTM
from refconv.ops.convolution import Convolution
from refconv.ops.dense import Dense
from refconv.ops.depthwise import Depthwise
from refconv.ops.einsum_dense import EinsumDense
from refconv.ops.locally_connected import LocallyConnected, used
from refconv.ops.multi_head import GroupQuery, MultiHead
from refconv.ops.recurrent import Recurrent
from refconv.ops.separable import Separable
from refconv.ops.spatial import CHANNELS_FIRST
from refconv.ops.transposed import Transposed

SPATIAL = (Convolution, Depthwise, Transposed)
LINEAR = (
    *SPATIAL,
    LocallyConnected,
    Dense,
    EinsumDense,
    Recurrent,
    Bidirectional,
    ConvLSTM,
    MultiHead,
    GroupQuery,
)
ONE, ALL = np.float32(1.01), np.float32(1.001)


def named(case: Case, ending: str) -> dict[str, np.ndarray]:
    """The weights of that kind: of a layer in two directions, and of a separable one, there are several."""
    return {name: w for name, w in case.weights.items() if name.endswith(ending)}


def spatial(attrs: Any) -> str:
    """Name of the kernel whose first axes are the window's."""
    return "depthwise_kernel" if isinstance(attrs, Separable) else "kernel"


def filters(case: Case) -> tuple[str, int]:
    """The kernel that makes the output channels, and its axis of them; of a depthwise kernel, that of the input's."""
    if isinstance(case.attrs, Separable):
        return "pointwise_kernel", -1
    return "kernel", -2 if isinstance(case.attrs, (Depthwise, Transposed)) else -1


def typical(w: np.ndarray, share: float = 0.5) -> tuple[int, ...]:
    """Index of the weight whose magnitude has that rank among the nonzero ones; of the first where all are zero."""
    size = np.abs(w).ravel()
    some = np.flatnonzero(size)
    rank = int(share * (len(some) - 1))
    flat = some[np.argpartition(size[some], rank)[rank]] if len(some) else 0
    return tuple(int(i) for i in np.unravel_index(flat, w.shape))


def _flipped(case: Case) -> Case:
    name, rank = spatial(case.attrs), len(case.attrs.kernel_size)
    return case.with_weights(**{name: np.flip(case.weights[name], tuple(range(rank)))})


def _transposed(case: Case) -> Case:
    name = spatial(case.attrs)
    return case.with_weights(**{name: np.swapaxes(case.weights[name], 0, 1)})


def _square(case: Case) -> bool:
    size = case.attrs.kernel_size
    return len(size) > 1 and size[0] == size[1] > 1


def _swapped(case: Case) -> Case:
    """0 with 1, 2 with 3 …; a last one without a neighbour stays."""
    name, axis = filters(case)
    count = case.weights[name].shape[axis]
    order = np.arange(count) ^ 1
    return case.with_weights(**{name: case.weights[name].take(np.where(order < count, order, count - 1), axis)})


def _several(case: Case) -> bool:
    name, axis = filters(case)
    return case.weights[name].shape[axis] > 1


def _regrouped(case: Case) -> Case:
    """Channel number (group, k) read as (k, group), as where channels were shuffled once too often."""
    x, axis = case.inputs[0], 1 if case.attrs.data_format == CHANNELS_FIRST else -1
    order = np.arange(x.shape[axis]).reshape(case.attrs.groups, -1).T.ravel()
    return case.with_input(x.take(order, axis))


def _grouped(case: Case) -> bool:
    return case.attrs.groups > 1 and case.weights["kernel"].shape[-2] > 1


def single(case: Case, share: float = 0.5) -> tuple[str, tuple[int, ...], int]:
    """One weight of the case's unit, by magnitude: its kernel, its place with the filters' axis last, and that axis."""
    if isinstance(case.attrs, LocallyConnected):  # any place, of those that meet the input
        kernel = case.weights["kernel"]
        return "kernel", typical(np.where(used(case.attrs, kernel, case.inputs[0].shape[1:]), kernel, 0), share), -1
    if isinstance(case.attrs, (*SPATIAL, Dense)):
        (name, axis), unit = filters(case), case.unit
    else:
        name, axis, unit = next(iter(named(case, "kernel"))), -1, 0
    return name, (*typical(case.weights[name].take(unit, axis), share), unit), axis


def _one_off(case: Case) -> Case:
    """A weight of median magnitude of one filter, by 1%."""
    return with_factor(case, *single(case), ONE)


def with_factor(case: Case, name: str, place: tuple[int, ...], axis: int, factor: np.floating | float) -> Case:
    """One weight times `factor`; `place` is its index with `axis` moved last."""
    w = case.weights[name].copy()
    np.moveaxis(w, axis, -1)[place] *= factor
    return case.with_weights(**{name: w})


def scaled(case: Case, factor: np.floating | float) -> Case:
    """Every kernel times `factor`."""
    return case.with_weights(**{n: (w * factor).astype(w.dtype) for n, w in named(case, "kernel").items()})


def _all_off(case: Case) -> Case:
    return scaled(case, ALL)


def _without_bias(case: Case) -> Case:
    return case.with_weights(**{name: np.zeros_like(b) for name, b in named(case, "bias").items()})


def _twice_biased(case: Case) -> Case:
    return case.with_weights(**{name: 2 * b for name, b in named(case, "bias").items()})


def _biased(case: Case) -> bool:
    return bool(named(case, "bias"))


def _windowed(case: Case) -> bool:
    return max(case.attrs.kernel_size) > 1


ROWS = (
    Counterfactual("kernel flipped", SPATIAL, _flipped, _windowed),
    Counterfactual("H and W swapped", SPATIAL, _transposed, _square),
    Counterfactual("neighbouring channels swapped", (*SPATIAL, Dense), _swapped, _several),
    Counterfactual("groups regrouped", (Convolution,), _regrouped, _grouped),
    Counterfactual("one weight off by 1%", LINEAR, _one_off),
    Counterfactual("all weights off by 0.1%", LINEAR, _all_off),
    Counterfactual("bias missing", LINEAR, _without_bias, _biased),
    Counterfactual("bias doubled", LINEAR, _twice_biased, _biased),
)
