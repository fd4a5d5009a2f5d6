"""Faults of recurrent layers: gates, the recurrent kernel, the direction."""

from __future__ import annotations

import numpy as np

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.bidirectional import Bidirectional
from refconv.ops.recurrent import LSTM, OWN_COLUMNS, Recurrent


def _gates(w: np.ndarray, units: int) -> np.ndarray:
    """The last axis as (gates, units)."""
    return w.reshape(*w.shape[:-1], -1, units)


def _swapped(case: Case) -> Case:
    """The first two gates: input and forget, or update and reset."""
    found = {}
    for name in OWN_COLUMNS:
        if name in case.weights:
            w = _gates(case.weights[name], case.attrs.units)
            order = [1, 0, *range(2, w.shape[-2])]
            found[name] = w[..., order, :].reshape(case.weights[name].shape)
    return case.with_weights(**found)


def _transposed(case: Case) -> Case:
    w = _gates(case.weights["recurrent_kernel"], case.attrs.units)
    return case.with_weights(recurrent_kernel=w.swapaxes(0, 2).reshape(case.weights["recurrent_kernel"].shape))


def _forgetful(case: Case) -> Case:
    return case.with_weights(recurrent_kernel=np.zeros_like(case.weights["recurrent_kernel"]))


def _backwards(case: Case) -> Case:
    return case.with_input(case.inputs[0][:, ::-1])


def _long(case: Case) -> bool:
    return case.inputs[0].shape[1] > 1


def _wide(case: Case) -> bool:
    return case.attrs.units > 1 and _long(case)


def _exchanged(case: Case) -> Case:
    turn = {"forward": "backward", "backward": "forward"}
    split = {name: name.partition("_") for name in case.weights}
    return case.with_weights(**{f"{turn[a]}_{b}": case.weights[name] for name, (a, _, b) in split.items()})


def _alike(case: Case) -> bool:
    shapes = {name: w.shape for name, w in case.weights.items()}
    others = {name.replace("backward", "forward") for name in shapes}
    return all(shapes.get(n) == shapes.get(n.replace("forward", "backward", 1)) for n in others)


ROWS = (
    Counterfactual("first two gates swapped", (LSTM,), _swapped),
    Counterfactual("recurrent kernel transposed", (Recurrent,), _transposed, _wide),
    Counterfactual("state forgotten", (Recurrent,), _forgetful, _long),
    Counterfactual("sequence turned round", (Recurrent,), _backwards, _long),
    Counterfactual("directions exchanged", (Bidirectional,), _exchanged, _alike),
)
