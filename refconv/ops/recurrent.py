"""LSTM, GRU and SimpleRNN: one cell, step after step; judged step by step, each on the framework's own state before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure, join, point
from refconv.ops import cells
from refconv.ops.activations import Activation, activation
from refconv.ops.attributes import Reader, Unknown, attribute, flag, integer
from refconv.ops.base import Close, Context, Forward, Row, Shape, States, Steps, Weights
from refconv.ops.cells import Before, Cell
from refconv.ops.masking import only_mask

TANH, SIGMOID = Activation("tanh"), Activation("sigmoid")
OWN_COLUMNS = ("kernel", "recurrent_kernel", "bias")  # their last axis is gates × units


@dataclass(frozen=True, kw_only=True)
class Recurrent:
    """`masks` says that the last input is a mask (N, steps) of the call, which no configuration holds."""

    units: int = attribute(integer(1))
    activation: Activation = attribute(activation, default=TANH)
    use_bias: bool = attribute(flag, default=True)
    return_sequences: bool = attribute(flag, default=False)
    return_state: bool = attribute(flag, default=False)
    go_backwards: bool = attribute(flag, default=False)
    zero_output_for_mask: bool = attribute(flag, default=False)
    masks: tuple[str, ...] = attribute(only_mask, default=())


def gates(read: Reader) -> Reader:
    """The reader of an activation, for that of the gates: its errors name the field."""

    def of_gates(value: Any) -> Any:
        try:
            return read(value)
        except Unknown as error:
            raise Unknown(f"recurrent_{error.what}") from error

    return of_gates


@dataclass(frozen=True, kw_only=True)
class LSTM(Recurrent):
    """Keras's order of gates in every weight is i, f, g (the candidate), o."""

    recurrent_activation: Activation = attribute(gates(activation), default=SIGMOID)


@dataclass(frozen=True, kw_only=True)
class GRU(LSTM):
    """Keras's order of gates is z, r, g. Files older than `reset_after` mean False."""

    reset_after: bool = attribute(flag, default=False)


def shapes(count: int) -> Any:
    """Weights of a cell with so many gates; a GRU with reset_after has two rows of biases."""

    def of(attrs: Recurrent) -> dict[str, Shape]:
        width = count * attrs.units
        bias: Shape = (2, width) if getattr(attrs, "reset_after", False) else (width,)
        found: dict[str, Shape] = {"kernel": (None, width), "recurrent_kernel": (attrs.units, width)}
        return {**found, "bias": bias} if attrs.use_bias else found

    return of


def chained(cell: Cell) -> Forward:
    """All steps on their own results: y = h of every step or of the last, then, where asked for, the last states."""

    def run(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> tuple[Enclosure, ...]:
        inputs, shown = parted(attrs, inputs)
        x, states, met = _ordered(attrs, inputs), _initial(cell, attrs, inputs), []
        sums = cells.summed(context)
        for t in range(x.shape[1]):
            before = _before(attrs, x[:, t], states, context)
            found = cell.step(attrs, weights, before, {}, context.arithmetic, sums)
            states = tuple(_where(_at_step(shown, t), new, old) for new, old in zip(found, states, strict=True))
            met.append(found)
        columns = (join(lambda parts: np.stack(parts, axis=1), column) for column in zip(*met, strict=True))
        left = (_left(attrs, e, shown) for e in columns)
        return outputs(cell, attrs, dict(zip(cell.states, left, strict=True)), states)

    return run


def outputs(cell: Cell, attrs: Any, states: States, last: Sequence[Enclosure]) -> tuple[Enclosure, ...]:
    """What the layer returns of what its steps left (N, steps, units), and of its last states: nothing is computed."""
    h = states["h"]
    first = h if attrs.return_sequences else h.move(lambda v: v[:, -1])
    return (first, *last) if attrs.return_state else (first,)


def parted(attrs: Any, inputs: Sequence[Enclosure]) -> tuple[Sequence[Enclosure], np.ndarray | None]:
    """The tensors, and which steps are shown (N, steps), in the order in which they are run; None where all are."""
    if not attrs.masks:
        return inputs, None
    shown = inputs[-1].mid.astype(bool)
    return inputs[:-1], shown[:, ::-1] if attrs.go_backwards else shown


def _at_step(shown: np.ndarray | None, t: int) -> np.ndarray | None:
    return None if shown is None else shown[:, t]


def _where(shown: np.ndarray | None, one: Enclosure, other: Enclosure) -> Enclosure:
    """One where shown, else the other; `shown` lacks their last axis."""
    if shown is None:
        return one
    return join(lambda parts: np.where(shown[..., None], parts[0], parts[1]), (one, other))


def _left(attrs: Any, e: Enclosure, shown: np.ndarray | None) -> Enclosure:
    """What steps leave of what they computed (N, steps, units): a hidden one leaves what the last one that was shown
    did, and zeros where none was, whatever the initial state; or zeros in any case.
    """
    if shown is None:
        return e
    nothing = point(np.zeros_like(e.mid))
    if attrs.zero_output_for_mask:
        return _where(shown, e, nothing)
    last = _last_shown(shown)
    rows = np.arange(len(last))[:, None]
    return _where(last >= 0, join(lambda parts: parts[0][rows, last], (e,)), nothing)


def _last_shown(shown: np.ndarray) -> np.ndarray:
    """Of every step the number of the last one, itself included, that is shown; -1 where none is."""
    return np.maximum.accumulate(np.where(shown, np.arange(shown.shape[1]), -1), axis=1)


def steps(cell: Cell) -> Steps:
    """How a layer with this cell is judged."""

    def enclose(
        attrs: Any, weights: Weights, inputs: Sequence[Enclosure], recorded: States, context: Context
    ) -> dict[str, Enclosure]:
        inputs, shown = parted(attrs, inputs)
        x = _ordered(attrs, inputs)
        before = _before(attrs, x, _previous(cell, attrs, inputs, recorded, shown), context)
        found = cell.step(attrs, weights, before, recorded, context.arithmetic, cells.summed(context))
        kept = (_kept(attrs, e, recorded[name], shown) for name, e in zip(cell.states, found, strict=True))
        return dict(zip(cell.states, kept, strict=True))

    def given(
        attrs: Any, inputs: Sequence[Enclosure], recorded: States, enclosed: States, context: Context
    ) -> tuple[Enclosure, ...]:
        inputs, shown = parted(attrs, inputs)
        states = recorded if shown is None else {name: _again(e, enclosed[name]) for name, e in recorded.items()}
        last = [e.move(lambda v: v[:, -1]) for e in _states(cell, attrs, inputs, states, shown)]
        return outputs(cell, attrs, recorded, last)

    def explain(
        attrs: Any,
        weights: Weights,
        inputs: Sequence[Enclosure],
        recorded: States,
        name: str,
        index: tuple[int, ...],
        context: Context,
        close: Close,
    ) -> Enclosure | None:
        if cell is cells.GRU and not attrs.reset_after:
            return None  # one unit's sum runs over the gates of all units
        inputs, shown = parted(attrs, inputs)
        (n, t, unit), x = index, _ordered(attrs, inputs)
        if shown is not None and not shown[n, t]:
            return None
        states = _previous(cell, attrs, inputs, recorded, shown)
        whole = _before(attrs, x[n : n + 1, t], tuple(_at(s, n, t) for s in states), context)
        one = Before(whole.x[0], whole.h.move(lambda v: v[0]), tuple(_at(s, 0, unit) for s in whole.own))
        now = {key: _at(value.move(lambda v: v[n]), t, unit) for key, value in recorded.items()}
        sums = cells.closed_by(close, context.arithmetic)
        found = cell.step(attrs, _columns(weights, unit, attrs.units), one, now, context.arithmetic, sums)
        return found[cell.states.index(name)].move(lambda v: v.reshape(()))

    return Steps(lambda attrs: dict.fromkeys(cell.states, attrs.units), enclose, given, explain)


def _at(e: Enclosure, first: int, second: int) -> Enclosure:
    """One place of the first two axes, the first of which goes with it."""
    return e.move(lambda v: v[first, second : second + 1])


def _columns(weights: Weights, unit: int, units: int) -> dict[str, np.ndarray]:
    """The weights of one unit: its column of every gate."""
    return {name: w[..., unit::units] if name in OWN_COLUMNS else w for name, w in weights.items()}


def _ordered(attrs: Any, inputs: Sequence[Enclosure]) -> np.ndarray:
    """The input (N, steps, C), in the order in which its steps are run.

    Raises:
        UnreadableModel: the input has no axis of steps.
    """
    x = inputs[0].mid.astype(np.float64)
    if x.ndim != 3:
        raise UnreadableModel(f"an input of shape {x.shape} is no sequence of vectors")
    return x[:, ::-1] if attrs.go_backwards else x


def _initial(cell: Cell, attrs: Any, inputs: Sequence[Enclosure]) -> tuple[Enclosure, ...]:
    """The states before the first step: zeros, or what the layer is called with after its sequence."""
    given = tuple(inputs[1:])
    if given and len(given) != len(cell.states):
        raise UnreadableModel(f"{len(given)} initial states are given, and there are {len(cell.states)}")
    return given or tuple(point(np.zeros((len(inputs[0].mid), attrs.units))) for _ in cell.states)


def _previous(
    cell: Cell, attrs: Any, inputs: Sequence[Enclosure], recorded: States, shown: np.ndarray | None
) -> tuple[Enclosure, ...]:
    """The states before every step."""
    return tuple(e.move(_all_but_last) for e in _states(cell, attrs, inputs, recorded, shown))


def _states(
    cell: Cell, attrs: Any, inputs: Sequence[Enclosure], recorded: States, shown: np.ndarray | None
) -> list[Enclosure]:
    """The states before every step and after the last (N, steps + 1, units): the initial one, then the recorded ones.

    Through a hidden step a state stays, whatever such a step is recorded to have left.
    """
    pairs = zip(_initial(cell, attrs, inputs), (recorded[name] for name in cell.states), strict=True)
    found = [
        join(lambda parts: np.concatenate(parts, axis=1), (start.move(lambda v: v[:, None]), met))
        for start, met in pairs
    ]
    if shown is None:
        return found
    place = np.pad(_last_shown(shown) + 1, ((0, 0), (1, 0)))
    rows = np.arange(len(place))[:, None]
    return [e.move(lambda v: v[rows, place]) for e in found]


def _all_but_last(states: np.ndarray) -> np.ndarray:
    return states[:, :-1]


def _again(recorded: Enclosure, enclosed: Enclosure) -> Enclosure:
    """What was recorded, computed once more: under a mask a loop goes on with states of its own, which XLA may round in
    another way. Two conforming executions of one step differ by both their errors.
    """
    sigma, worst, floor = (2 * np.asarray(r) for r in (enclosed.sigma, enclosed.worst, enclosed.floor))
    return Enclosure(recorded.mid, sigma, worst, floor, enclosed.overflow)


def _kept(attrs: Any, e: Enclosure, recorded: Enclosure, shown: np.ndarray | None) -> Enclosure:
    """A hidden step leaves what was recorded one step earlier, zeros at the start; or zeros in any case."""
    if shown is None:
        return e
    earlier = np.zeros_like(e.mid)
    if not attrs.zero_output_for_mask:
        earlier[:, 1:] = recorded.mid[:, :-1]
    return _where(shown, e, point(earlier))


def _before(attrs: Any, x: np.ndarray, states: Sequence[Enclosure], context: Context) -> Before:
    """What steps start from: a quantized layer quantizes every state before it uses it."""
    quantizer = getattr(attrs, "state_quantizer", None)
    if quantizer is not None:
        kept = Activation(quantizer.name, quantizer=quantizer)
        states = [cells.applied(kept, state, context.arithmetic) for state in states]
    return Before(x, states[0], tuple(states))


def _row(keras: str, attributes: type, cell: Cell) -> Row:
    return Row(keras, attributes, chained(cell), shapes(cell.gates), source=f"keras.layers.{keras}", steps=steps(cell))


ROWS = (
    _row("LSTM", LSTM, cells.LSTM),
    _row("GRU", GRU, cells.GRU),
    _row("SimpleRNN", Recurrent, cells.SIMPLE),
)
