"""Convolution whose kernel is another at every position: Keras 2's LocallyConnected1D and LocallyConnected2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.activations import LINEAR, Activation, activate, activation
from refconv.ops.attributes import attribute, choice, flag, integer
from refconv.ops.base import Context, Row, Shape, Terms, Weights
from refconv.ops.spatial import CHANNELS_FIRST, axes, channels_last, data_format, locate, padding, restore
from refconv.primitives.geometry import Window, inside, window
from refconv.primitives.numpy_engine import windows
from refconv.primitives.sums import correlate_moments


@dataclass(frozen=True, kw_only=True)
class LocallyConnected:
    """`implementation` says how the kernel is stored (`decoded`)."""

    filters: int = attribute(integer(1))
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = padding()
    data_format: str = data_format()
    activation: Activation = attribute(activation, default=LINEAR)
    use_bias: bool = attribute(flag, default=True)
    implementation: int = attribute(choice(1, 2, 3), default=1)


def of_rank(rank: int) -> type[LocallyConnected]:
    """The attributes of LocallyConnected1D or LocallyConnected2D."""

    @dataclass(frozen=True, kw_only=True)
    class Ranked(LocallyConnected):
        kernel_size: tuple[int, ...] = axes(rank, None)
        strides: tuple[int, ...] = axes(rank)

    return Ranked


def shapes(attrs: LocallyConnected) -> dict[str, Shape]:
    anywhere: Shape = (None,) * len(attrs.kernel_size)
    dense = (*anywhere, None, *anywhere, attrs.filters)
    if attrs.data_format == CHANNELS_FIRST:
        dense = (None, *anywhere, attrs.filters, *anywhere)
    kernel = {1: (None, None, attrs.filters), 2: dense, 3: (None,)}[attrs.implementation]
    return {"kernel": kernel, **({"bias": (*anywhere, attrs.filters)} if attrs.use_bias else {})}


def locally_connected(
    attrs: LocallyConnected, weights: Weights, inputs: Sequence[Enclosure], context: Context
) -> Enclosure:
    """y[p, f] = activation(Σ_k Σ_c x[p·stride + k − pad, c]·kernel[p, k, c, f] + bias[p, f]).

    x (N, *spatial, C) or (N, C, *spatial); bias (*out, filters), which with channels first is read in the order
    (filters, *out) all the same. Computed as a convolution over one position that holds every window's elements, in as
    many groups as there are windows.

    Source: tf_keras.layers.LocallyConnected1D and 2D.
    """
    x = channels_last(inputs[0].mid, attrs.data_format, len(attrs.kernel_size))
    where = local_window(attrs, x.shape[1:-1])
    kernel = decoded(attrs, weights["kernel"], where, x.shape[1:])
    count, depth, filters = kernel.shape
    grouped = kernel.transpose(1, 0, 2).reshape(1, depth, count * filters)
    moments = correlate_moments(
        context.engine, _patches(x, where), grouped, window((1,), (1,), (1,)), count, context.need
    )
    if attrs.use_bias:
        moments = moments.plus(_bias(attrs, weights["bias"], where).ravel())
    closed = context.arithmetic.close(moments).move(lambda v: v.reshape(len(v), *where.out, filters))
    return activate(attrs.activation, restore(closed, attrs.data_format), context.arithmetic)


def terms(
    attrs: LocallyConnected, weights: Weights, inputs: Sequence[np.ndarray], index: tuple[int, ...], context: Context
) -> Terms:
    """Products of one element, axes (*k, C); taps on padding are left out."""
    x = channels_last(inputs[0], attrs.data_format, len(attrs.kernel_size))
    sample, position, unit = locate(index, attrs.data_format)
    where = local_window(attrs, x.shape[1:-1])
    number = int(np.ravel_multi_index(position, where.out))
    kernel = decoded(attrs, weights["kernel"], where, x.shape[1:])[number, :, unit]
    sources, taps = inside(where, x.shape[1:-1], position)
    held = kernel.reshape(*attrs.kernel_size, x.shape[-1])[np.ix_(*taps)].astype(np.float64)
    return Terms(
        x[sample][np.ix_(*sources)].astype(np.float64) * held,
        float(_bias(attrs, weights["bias"], where)[number, unit]) if attrs.use_bias else None,
        lambda enclosure: activate(attrs.activation, enclosure, context.arithmetic),
    )


def local_window(attrs: LocallyConnected, spatial: tuple[int, ...]) -> Window:
    """SAME is not a convolution's: a window always begins ⌊k/2⌋ before its position times the stride.

    Source: conv_connected_inputs in tf_keras/src/utils/conv_utils.py.
    """
    size, strides = attrs.kernel_size, attrs.strides
    if attrs.padding == "valid":
        return window(spatial, size, strides)
    out = tuple(-(-n // s) for n, s in zip(spatial, strides, strict=True))
    lengths = zip(spatial, size, strides, out, strict=True)
    pads = tuple((k // 2, max((m - 1) * s + k - k // 2 - n, 0)) for n, k, s, m in lengths)
    return Window(size, strides, (1,) * len(size), pads, out)


def decoded(attrs: LocallyConnected, kernel: np.ndarray, where: Window, shape: tuple[int, ...]) -> np.ndarray:
    """The kernel as (positions, taps·C, filters), zero where a tap lies on padding.

    Stored are, by `implementation`:
        1: (positions, taps·C, filters), with channels first (positions, C·taps, filters).
        2: the matrix of a dense layer, (*in, C, *out, filters) or (C, *in, filters, *out), of which the rest is unused.
        3: the used weights of that matrix in a row: output by output, for each input by input.

    Args:
        shape: the input's, (*spatial, C).

    Raises:
        UnreadableModel: the kernel does not fit the input.
    """
    first, used = attrs.data_format == CHANNELS_FIRST, connections(where, shape[:-1])
    wanted = _stored(attrs, where, shape, len(used))
    if kernel.shape != wanted:
        raise UnreadableModel(f"kernel has shape {kernel.shape}, its layer and an input of {shape} want {wanted}")
    if attrs.implementation == 1:
        return exchanged(kernel, shape[-1]) if first else kernel
    found = np.zeros((prod(where.out), prod(where.size), shape[-1], attrs.filters), kernel.dtype)
    weights = _of_matrix if attrs.implementation == 2 else _of_row
    found[used.positions, used.taps] = weights(kernel, used, where, shape, attrs.filters, first)
    return found.reshape(len(found), -1, attrs.filters)


def used(attrs: LocallyConnected, kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which of the stored weights meet the input; `shape` is that of one sample, in the layer's layout."""
    shape = (*shape[1:], shape[0]) if attrs.data_format == CHANNELS_FIRST else shape
    numbers = np.arange(1, kernel.size + 1).reshape(kernel.shape)  # 0 stands for a tap on padding
    found = np.zeros(kernel.size + 1, dtype=bool)
    found[decoded(attrs, numbers, local_window(attrs, shape[:-1]), shape)] = True
    return found[1:].reshape(kernel.shape)


def exchanged(kernel: np.ndarray, outer: int) -> np.ndarray:
    """(positions, outer·inner, filters) → (positions, inner·outer, filters)."""
    count, depth, filters = kernel.shape
    return kernel.reshape(count, outer, -1, filters).swapaxes(1, 2).reshape(count, depth, filters)


@dataclass(frozen=True)
class Connections:
    """Every tap that meets an input element: flat indices of positions, taps and elements, in this order."""

    positions: np.ndarray
    taps: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


def connections(where: Window, spatial: tuple[int, ...]) -> Connections:
    found: list[tuple[np.ndarray, ...]] = []
    for number, position in enumerate(np.ndindex(*where.out)):
        sources, taps = inside(where, spatial, position)
        flat = np.ravel_multi_index(np.ix_(*taps), where.size).ravel()
        elements = np.ravel_multi_index(np.ix_(*sources), spatial).ravel()
        found.append((np.full(len(flat), number), flat, elements))
    return Connections(*map(np.concatenate, zip(*found, strict=True)))


def _of_matrix(
    kernel: np.ndarray, used: Connections, where: Window, shape: tuple[int, ...], filters: int, first: bool
) -> np.ndarray:
    """(connections, C, filters) of the dense layer's matrix."""
    size, count = prod(shape[:-1]), prod(where.out)
    if first:
        return kernel.reshape(shape[-1], size, filters, count)[:, used.sources, :, used.positions]
    return kernel.reshape(size, shape[-1], count, filters)[used.sources, :, used.positions]


def _of_row(
    kernel: np.ndarray, used: Connections, where: Window, shape: tuple[int, ...], filters: int, first: bool
) -> np.ndarray:
    """(connections, C, filters) of the row: sorted by output, filters first or last, then by input likewise."""
    channels, total = shape[-1], len(used)
    per_position = np.bincount(used.positions, minlength=prod(where.out))
    start = np.concatenate([[0], np.cumsum(per_position)[:-1]])[used.positions]
    n, j = per_position[used.positions][:, None, None], (np.arange(total) - start)[:, None, None]
    c, f, start = np.arange(channels)[:, None], np.arange(filters), start[:, None, None]
    if first:
        return kernel[f * total * channels + start * channels + c * n + j]
    return kernel[start * channels * filters + f * n * channels + j * channels + c]


def _stored(attrs: LocallyConnected, where: Window, shape: tuple[int, ...], connected: int) -> tuple[int, ...]:
    count, channels, filters = prod(where.out), shape[-1], attrs.filters
    if attrs.implementation == 1:
        return count, prod(where.size) * channels, filters
    if attrs.implementation == 3:
        return (connected * channels * filters,)
    if attrs.data_format == CHANNELS_FIRST:
        return channels, *shape[:-1], filters, *where.out
    return *shape, *where.out, filters


def _patches(x: np.ndarray, where: Window) -> np.ndarray:
    """What each window holds: (N, positions·taps·C)."""
    padded = np.pad(x, ((0, 0), *where.pads, (0, 0)))
    return windows(padded, where).reshape(len(x), 1, -1)


def _bias(attrs: LocallyConnected, bias: np.ndarray, where: Window) -> np.ndarray:
    """(positions, filters). With channels first Keras 2 reshapes it to (filters, *out), and does not transpose it.

    Source: bias_add in tf_keras/src/backend.py.
    """
    wanted = (*where.out, attrs.filters)
    if bias.shape != wanted:
        raise UnreadableModel(f"bias has shape {bias.shape}, its layer and input want {wanted}")
    if attrs.data_format == CHANNELS_FIRST:
        return bias.reshape(attrs.filters, -1).T
    return bias.reshape(-1, attrs.filters)


ROWS = tuple(
    Row(
        f"LocallyConnected{rank}D",
        of_rank(rank),
        locally_connected,
        shapes,
        terms,
        operands=("kernel",),
        source=f"tf_keras.layers.LocallyConnected{rank}D",
    )
    for rank in (1, 2)
)
