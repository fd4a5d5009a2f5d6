"""ConvLSTM1D, 2D and 3D: an LSTM whose products are convolutions, judged step by step as the others are.

Inside, every tensor is channels-last: (N, steps, *spatial, C).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, join, point
from refconv.numerics.formats import gamma
from refconv.numerics.moments import Moments
from refconv.ops import activations, cells
from refconv.ops.activations import Activation
from refconv.ops.attributes import attribute, flag, integer
from refconv.ops.base import Close, Context, Row, Shape, States, Steps, Weights
from refconv.ops.carry import carry
from refconv.ops.cells import Before, Bias, Sums
from refconv.ops.recurrent import SIGMOID, TANH, gates
from refconv.ops.spatial import CHANNELS_FIRST, axes, data_format, padding
from refconv.primitives.geometry import Window, inside, window
from refconv.primitives.sums import correlate_moments

STATES = ("h", "c")


@dataclass(frozen=True, kw_only=True)
class ConvLSTM:
    """A spatial rank adds the readers of its per-axis fields; the recurrent convolution has no stride, no dilation."""

    filters: int = attribute(integer(1))
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = padding()
    data_format: str = data_format()
    dilation_rate: tuple[int, ...]
    activation: Activation = attribute(activations.activation, default=TANH)
    recurrent_activation: Activation = attribute(gates(activations.activation), default=SIGMOID)
    use_bias: bool = attribute(flag, default=True)
    return_sequences: bool = attribute(flag, default=False)
    return_state: bool = attribute(flag, default=False)
    go_backwards: bool = attribute(flag, default=False)

    @property
    def rank(self) -> int:
        return len(self.kernel_size)

    def forward_window(self, spatial: tuple[int, ...]) -> Window:
        return window(spatial, self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def recurrent_window(self, spatial: tuple[int, ...]) -> Window:
        return window(spatial, self.kernel_size, (1,) * self.rank, padding="same")


def of_rank(rank: int) -> type[ConvLSTM]:
    @dataclass(frozen=True, kw_only=True)
    class Ranked(ConvLSTM):
        kernel_size: tuple[int, ...] = axes(rank, None)
        strides: tuple[int, ...] = axes(rank)
        dilation_rate: tuple[int, ...] = axes(rank)

    return Ranked


def shapes(attrs: ConvLSTM) -> dict[str, Shape]:
    """Keras's order of gates is i, f, g, o, as LSTM's."""
    width = 4 * attrs.filters
    found: dict[str, Shape] = {
        "kernel": (*attrs.kernel_size, None, width),
        "recurrent_kernel": (*attrs.kernel_size, attrs.filters, width),
    }
    return {**found, "bias": (width,)} if attrs.use_bias else found


def chained(attrs: ConvLSTM, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> tuple[Enclosure, ...]:
    """All steps on their own results."""
    x, states, met = _ordered(attrs, inputs), _initial(attrs, inputs), []
    sums = _summed(attrs, context)
    for t in range(x.shape[1]):
        before = Before(x[:, t], states[0], states)
        states = cells.lstm(attrs, weights, before, {}, context.arithmetic, sums)
        met.append(states)
    columns = (join(lambda parts: np.stack(parts, axis=1), column) for column in zip(*met, strict=True))
    return _returned(attrs, {name: _laid(attrs, e) for name, e in zip(STATES, columns, strict=True)})


def enclose(
    attrs: ConvLSTM, weights: Weights, inputs: Sequence[Enclosure], recorded: States, context: Context
) -> dict[str, Enclosure]:
    """Every step on the recorded states before it: all steps of all samples are one batch."""
    x = _ordered(attrs, inputs)
    lead, met = x.shape[:2], {name: _last(attrs, recorded[name]) for name in STATES}
    states = tuple(_merged(_previous(s, met[n])) for n, s in zip(STATES, _initial(attrs, inputs), strict=True))
    before = Before(x.reshape(-1, *x.shape[2:]), states[0], states)
    now = {name: _merged(e) for name, e in met.items()}
    found = cells.lstm(attrs, weights, before, now, context.arithmetic, _summed(attrs, context))
    parted = (e.move(lambda v: v.reshape(*lead, *v.shape[1:])) for e in found)
    return {name: _laid(attrs, e) for name, e in zip(STATES, parted, strict=True)}


def explain(
    attrs: ConvLSTM,
    weights: Weights,
    inputs: Sequence[Enclosure],
    recorded: States,
    name: str,
    index: tuple[int, ...],
    context: Context,
    close: Close,
) -> Enclosure | None:
    """One element of one step: what its windows see of the input and of the state, as vectors, and its own columns."""
    x, met = _ordered(attrs, inputs), {n: _last(attrs, recorded[n]) for n in STATES}
    n, t, *rest = index
    *place, unit = (*rest[1:], rest[0]) if attrs.data_format == CHANNELS_FIRST else rest
    states = [_previous(s, met[key]) for key, s in zip(STATES, _initial(attrs, inputs), strict=True)]
    at, spatial = tuple(place), met["h"].mid.shape[2:-1]
    seen, kernel = _patch(attrs.forward_window(x.shape[2:-1]), x[n, t], weights["kernel"], at)
    held, recurrent = _patch(attrs.recurrent_window(spatial), states[0].mid[n, t], weights["recurrent_kernel"], at)
    own = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": weights.get("bias")}
    columns = {key: w[..., unit :: attrs.filters] for key, w in own.items() if w is not None}

    def one(e: Enclosure) -> Enclosure:
        return e.move(lambda v: v[n, t][at][unit : unit + 1])

    before = Before(seen, point(held), tuple(map(one, states)))
    now = {key: one(e) for key, e in met.items()}
    found = cells.lstm(attrs, columns, before, now, context.arithmetic, cells.closed_by(close, context.arithmetic))
    return found[STATES.index(name)].move(lambda v: v.reshape(()))


def _patch(where: Window, x: np.ndarray, kernel: np.ndarray, at: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What one window sees of x (*spatial, C), and the weights of the taps that see it, one row for each number."""
    sources, taps = inside(where, x.shape[:-1], at)
    return x[np.ix_(*sources)].ravel(), kernel[np.ix_(*taps)].reshape(-1, kernel.shape[-1])


def _summed(attrs: ConvLSTM, context: Context) -> Sums:
    """x ∗ kernel + h ∗ recurrent + bias, bounded as one sum in any order."""

    def sums(x: np.ndarray, h: Enclosure, kernel: np.ndarray, recurrent: np.ndarray, biases: Bias) -> Enclosure:
        forward, back = attrs.forward_window(x.shape[1:-1]), attrs.recurrent_window(h.mid.shape[1:-1])
        moments = _added(
            correlate_moments(context.engine, x, kernel, forward, need=context.need),
            correlate_moments(context.engine, h.mid, recurrent, back, need=context.need),
        )
        moments = moments if h.exact else replace(moments, grid=0.0)
        for bias in biases:
            moments = moments.plus(bias)
        growth = float(gamma(moments.n + 1, context.arithmetic.u))
        magnitude = np.abs(recurrent.astype(np.float64))
        return carry(
            context.arithmetic.close(moments), h, lambda v: context.engine.correlate(v, magnitude, back), growth
        )

    return sums


def _added(one: Moments, other: Moments) -> Moments:
    """Of the terms of both.

    Raises:
        UnreadableModel: the state has another shape than the convolution of the input.
    """
    if one.y.shape != other.y.shape:
        raise UnreadableModel(f"states give sums of shape {other.y.shape}, the input of {one.y.shape}")
    q = None if one.Q is None or other.Q is None else one.Q + other.Q
    a = None if one.A is None or other.A is None else one.A + other.A
    return Moments(one.y + other.y, q, one.n + other.n, a, one.S + other.S, min(one.grid, other.grid))


def _ordered(attrs: ConvLSTM, inputs: Sequence[Enclosure]) -> np.ndarray:
    """The input, channels last, in the order in which its steps are run."""
    x = inputs[0].mid.astype(np.float64)
    if x.ndim != attrs.rank + 3:
        raise UnreadableModel(f"an input of shape {x.shape} is no sequence of {attrs.rank}-dimensional images")
    x = np.moveaxis(x, 2, -1) if attrs.data_format == CHANNELS_FIRST else x
    return x[:, ::-1] if attrs.go_backwards else x


def _initial(attrs: ConvLSTM, inputs: Sequence[Enclosure]) -> tuple[Enclosure, ...]:
    """Zeros, or what the layer is called with after its sequence."""
    if len(inputs) not in (1, 1 + len(STATES)):
        raise UnreadableModel(f"{len(inputs) - 1} initial states are given, and there are {len(STATES)}")
    if len(inputs) > 1:
        first = attrs.data_format == CHANNELS_FIRST
        return tuple(e.move(lambda v: np.moveaxis(v, 1, -1)) if first else e for e in inputs[1:])
    x = _ordered(attrs, inputs)
    out = attrs.forward_window(x.shape[2:-1]).out
    return tuple(point(np.zeros((len(x), *out, attrs.filters))) for _ in STATES)


def _previous(start: Enclosure, met: Enclosure) -> Enclosure:
    """The states before every step."""
    parts = start.move(lambda v: v[:, None]), met.move(lambda v: v[:, :-1])
    return join(lambda arrays: np.concatenate(arrays, axis=1), parts)


def _merged(e: Enclosure) -> Enclosure:
    """(N, steps, …) → (N·steps, …)."""
    return e.move(lambda v: v.reshape(-1, *v.shape[2:]))


def _last(attrs: ConvLSTM, e: Enclosure) -> Enclosure:
    return e.move(lambda v: np.moveaxis(v, 2, -1)) if attrs.data_format == CHANNELS_FIRST else e


def _laid(attrs: ConvLSTM, e: Enclosure) -> Enclosure:
    return e.move(lambda v: np.moveaxis(v, -1, 2)) if attrs.data_format == CHANNELS_FIRST else e


def _returned(attrs: ConvLSTM, states: Mapping[str, Enclosure]) -> tuple[Enclosure, ...]:
    """What the layer returns of its states, in its own layout."""
    last = [states[name].move(lambda v: v[:, -1]) for name in STATES]
    first = states["h"] if attrs.return_sequences else last[0]
    return (first, *last) if attrs.return_state else (first,)


def _tail(attrs: ConvLSTM, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a state, what follows (N, steps): the input's own shape given."""
    first = attrs.data_format == CHANNELS_FIRST
    out = attrs.forward_window(shape[3:] if first else shape[2:-1]).out
    return (attrs.filters, *out) if first else (*out, attrs.filters)


STEPS = Steps(
    lambda attrs: dict.fromkeys(STATES, attrs.filters),
    enclose,
    lambda attrs, inputs, states, enclosed, context: _returned(attrs, states),
    explain,
    _tail,
)
ROWS = tuple(
    Row(
        f"ConvLSTM{rank}D",
        of_rank(rank),
        chained,
        shapes,
        source=f"keras.layers.ConvLSTM{rank}D; Shi et al. 2015",
        steps=STEPS,
    )
    for rank in (1, 2, 3)
)
