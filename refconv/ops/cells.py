"""One step of a recurrent layer: its sums, gates and new state, from the state before.

Every function takes arrays of shape (…, C) and (…, units): with the leading axes (N,) it is one step, with (N, T) all
steps at once, where each one's state before is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.enclosure import Enclosure, join
from refconv.numerics.formats import gamma
from refconv.ops.activations import Activation, activate
from refconv.ops.base import Close, Context, Terms, Weights
from refconv.ops.carry import carry
from refconv.ops.pairwise import complement, product, total
from refconv.primitives.sums import matmul_moments

Bias = Sequence[np.ndarray]


class Sums(Protocol):
    """x·kernel + h·recurrent + every bias, one sum per column: x known, h an enclosure."""

    def __call__(
        self, x: np.ndarray, h: Enclosure, kernel: np.ndarray, recurrent: np.ndarray, biases: Bias
    ) -> Enclosure: ...


@dataclass(frozen=True)
class Before:
    """What a step starts from.

    Attributes:
        x: its input (…, C).
        h: the hidden state that its sums run over, (…, units).
        own: each state once more, for what is done element by element: all units, or those that are asked for.
    """

    x: np.ndarray
    h: Enclosure
    own: tuple[Enclosure, ...]


Step = Callable[[Any, Weights, Before, Mapping[str, Enclosure], Arithmetic, Sums], tuple[Enclosure, ...]]


@dataclass(frozen=True)
class Cell:
    """`step`: (attrs, weights, before, now, arithmetic, sums) → the new states; `now` are those that are known."""

    states: tuple[str, ...]
    gates: int
    step: Step


def summed(context: Context) -> Sums:
    """Sums bounded as any product of matrices is: n = C + units terms, and one per bias, in any order."""

    def sums(x: np.ndarray, h: Enclosure, kernel: np.ndarray, recurrent: np.ndarray, biases: Bias) -> Enclosure:
        operands, matrix = np.concatenate([x, h.mid], axis=-1), np.concatenate([kernel, recurrent])
        moments = matmul_moments(context.engine, operands, matrix, context.need)
        if not h.exact:
            moments = replace(moments, grid=0.0)  # its operands may be off the grid of their exact values
        for bias in biases:
            moments = moments.plus(bias)
        magnitude = np.abs(recurrent.astype(np.float64))
        growth = float(gamma(len(matrix) + len(biases) + 1, context.arithmetic.u))
        return carry(context.arithmetic.close(moments), h, lambda v: context.engine.matmul(v, magnitude), growth)

    return sums


def closed_by(close: Close, arithmetic: Arithmetic) -> Sums:
    """The same for one element's own columns, each sum closed by `close` from its terms."""

    def sums(x: np.ndarray, h: Enclosure, kernel: np.ndarray, recurrent: np.ndarray, biases: Bias) -> Enclosure:
        operands, matrix = np.concatenate([x, h.mid]), np.concatenate([kernel, recurrent]).astype(np.float64)
        columns = [_terms(operands * column, [bias[at] for bias in biases]) for at, column in enumerate(matrix.T)]
        closed = join(np.stack, tuple(close(terms) for terms in columns))
        magnitude = np.abs(recurrent.astype(np.float64))
        growth = float(gamma(len(matrix) + len(biases) + 1, arithmetic.u))
        return carry(closed, h, lambda v: v @ magnitude, growth)

    return sums


def _terms(products: np.ndarray, biases: Sequence[float]) -> Terms:
    """All but the first bias are terms like any other."""
    bias = float(biases[0]) if biases else None
    return Terms(np.append(products, np.asarray(biases[1:], dtype=np.float64)), bias, lambda enclosure: enclosure)


def applied(a: Activation, e: Enclosure, arithmetic: Arithmetic) -> Enclosure:
    """activation(e), by steps (axis 1) where it finds a scale in its data: each step finds its own.

    Only radii go on from here: what follows a quantizer inside a step multiplies and adds.
    """
    if a.quantizer is None or e.mid.ndim < 3 or a.quantizer.scales(np.ones((1, 1))) is None:
        return replace(activate(a, e, arithmetic), lattices=None)
    steps = [activate(a, e.move(lambda v, at=t: v[:, at]), arithmetic) for t in range(e.mid.shape[1])]  # type: ignore[misc]
    return join(lambda parts: np.stack(parts, axis=1), tuple(steps))


def split(e: Enclosure, count: int) -> tuple[Enclosure, ...]:
    """Equal parts of the last axis."""
    width = e.mid.shape[-1] // count
    return tuple(e.move(lambda v, at=k: v[..., at * width : (at + 1) * width]) for k in range(count))  # type: ignore[misc]


def lstm(
    attrs: Any, weights: Weights, before: Before, now: Mapping[str, Enclosure], arithmetic: Arithmetic, sums: Sums
) -> tuple[Enclosure, ...]:
    """i, f, g, o = the four parts of x·K + h·R + b; c' = σ(f)·c + σ(i)·act(g); h' = σ(o)·act(c').

    h' is judged on the framework's own c', where that is known: two steps of their own, and no error passes between.
    """
    z = sums(before.x, before.h, weights["kernel"], weights["recurrent_kernel"], _biases(weights))
    i, f, g, o = split(z, 4)
    i, f, o = (applied(attrs.recurrent_activation, gate, arithmetic) for gate in (i, f, o))
    kept = product(f, before.own[1], arithmetic)
    c = total(kept, product(i, applied(attrs.activation, g, arithmetic), arithmetic), arithmetic)
    h = product(o, applied(attrs.activation, now.get("c", c), arithmetic), arithmetic)
    return h, c


def simple(
    attrs: Any, weights: Weights, before: Before, now: Mapping[str, Enclosure], arithmetic: Arithmetic, sums: Sums
) -> tuple[Enclosure, ...]:
    """h' = act(x·K + h·R + b)."""
    z = sums(before.x, before.h, weights["kernel"], weights["recurrent_kernel"], _biases(weights))
    return (applied(attrs.activation, z, arithmetic),)


def gru(
    attrs: Any, weights: Weights, before: Before, now: Mapping[str, Enclosure], arithmetic: Arithmetic, sums: Sums
) -> tuple[Enclosure, ...]:
    """z, r = σ(x·K + h·R + b); g = act(x·K_g + b_g + r∘(h·R_g + b'_g)), or act(x·K_g + (r∘h)·R_g + b_g) where the gate
    comes before the product; h' = z·h + (1 − z)·g.
    """
    kernel, recurrent = (np.split(weights[name], 3, axis=-1) for name in ("kernel", "recurrent_kernel"))
    inner, outer = _gru_biases(attrs, weights)
    gates = [
        sums(before.x, before.h, kernel[k], recurrent[k], [b for b in (inner[k], outer[k]) if b is not None])
        for k in (0, 1)
    ]
    z, r = (applied(attrs.recurrent_activation, gate, arithmetic) for gate in gates)
    bias = [inner[2]] if inner[2] is not None else []
    if attrs.reset_after:
        nothing, bare = before.x[..., :0], before.h.move(lambda v: v[..., :0])
        held = sums(nothing, before.h, kernel[2][:0], recurrent[2], [outer[2]] if outer[2] is not None else [])
        given = sums(before.x, bare, kernel[2], recurrent[2][:0], bias)
        g = total(given, product(r, held, arithmetic), arithmetic)
    else:
        g = sums(before.x, product(r, before.h, arithmetic), kernel[2], recurrent[2], bias)
    g = applied(attrs.activation, g, arithmetic)
    kept, taken = product(z, before.own[0], arithmetic), product(complement(z, arithmetic), g, arithmetic)
    return (total(kept, taken, arithmetic),)


def _biases(weights: Weights) -> Bias:
    return [weights["bias"]] if "bias" in weights else []


def _gru_biases(attrs: Any, weights: Weights) -> tuple[list[Any], list[Any]]:
    """Three of the input's and three of the recurrent product's; None where there is none."""
    if "bias" not in weights:
        return [None] * 3, [None] * 3
    if not attrs.reset_after:
        return list(np.split(weights["bias"], 3)), [None] * 3
    inner, outer = (list(np.split(bias, 3)) for bias in weights["bias"])
    return inner, outer


LSTM = Cell(("h", "c"), 4, lstm)
GRU = Cell(("h",), 3, gru)
SIMPLE = Cell(("h",), 1, simple)
