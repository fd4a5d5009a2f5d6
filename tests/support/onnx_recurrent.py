"""ONNX's recurrent operators through refconv's rows: one layer per direction, gates in Keras's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from support.laws import CONTEXT
from support.onnx_windows import Attributes, Given, Unfit, array

from refconv.numerics.enclosure import Enclosure, join, point
from refconv.ops.attributes import build
from refconv.ops.table import TABLE

# Where Keras's gates stand among ONNX's: i o f c for i f c o; the GRU's z r h are the same.
ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "SimpleRNN": (0,)}


def recurrent(row: str) -> Any:
    """X (steps, batch, C), or (batch, steps, C) with layout 1; W, R and B with the directions in front and gates above
    one another. The results are Y (steps, directions, batch, units) and the last states (directions, batch, units).
    """

    def apply(
        a: Attributes, x: Given, w: Given, r: Given, b: Any = None, lengths: Any = None, h: Any = None, c: Any = None,
        peepholes: Any = None,
    ) -> tuple[Enclosure, ...]:  # fmt: skip
        if peepholes is not None:
            raise Unfit("Keras has no peepholes")
        by_batch = array(x) if a.get("layout") else array(x).swapaxes(0, 1)
        directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
        made = [
            _one(row, a, by_batch, array(w)[d], array(r)[d], None if b is None else b[d], backwards)
            for d, backwards in enumerate(directions[a.get("direction", "forward")])
        ]
        columns = [join(np.stack, column) for column in zip(*made, strict=True)]
        return _laid_out(columns, bool(a.get("layout")))

    return apply


def _one(
    row: str, a: Attributes, x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray | None, backwards: bool
) -> tuple[Enclosure, ...]:
    """(batch, steps, units) in the order of time, then the last states."""
    given = {"units": a["hidden_size"], "return_sequences": True, "return_state": True, "go_backwards": backwards}
    after = {"reset_after": bool(a.get("linear_before_reset"))} if row == "GRU" else {}
    weights = {"kernel": _ordered(row, w).T, "recurrent_kernel": _ordered(row, r).T}
    if b is not None:
        both = np.stack([_ordered(row, half) for half in np.split(b, 2)])
        weights["bias"] = both if after.get("reset_after") else both.sum(axis=0, dtype=np.float64)  # exact
    attrs = build(TABLE[row].attributes, {**given, **after, "use_bias": b is not None}, row)
    with np.errstate(all="ignore"):
        found = TABLE[row].forward(attrs, weights, (point(x),), CONTEXT)
    assert isinstance(found, tuple)
    whole = found[0].move(lambda v: v[:, ::-1]) if backwards else found[0]
    return whole, *found[1:]


def _ordered(row: str, values: np.ndarray) -> np.ndarray:
    gates = np.split(values, len(ORDERS[row]))
    return np.concatenate([gates[gate] for gate in ORDERS[row]])


def _laid_out(columns: Sequence[Enclosure], by_batch: bool) -> tuple[Enclosure, ...]:
    """From the directions in front: Y, then the states."""
    order = (1, 2, 0, 3) if by_batch else (2, 0, 1, 3)
    states = [state.move(lambda v: v.swapaxes(0, 1)) if by_batch else state for state in columns[1:]]
    return columns[0].move(lambda v: v.transpose(order)), *states


ADAPTERS = {"LSTM": recurrent("LSTM"), "GRU": recurrent("GRU"), "RNN": recurrent("SimpleRNN")}
