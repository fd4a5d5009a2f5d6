"""Dropout active.

## What
Elements are dropped and the others scaled up, as in training.

## Why
The model was called with `training=True`, or left in training mode (PyTorch needs `eval()`).

## Example
With rate 0.5 half of the elements are 0 and the others doubled, others at each call.

## Fix
Run the layer for inference: `model(x, training=False)` or `predict`.
"""

from collections.abc import Iterator

import numpy as np

from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.preprocessing import Rescaling

NAMES = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
SIGMAS = 6.0


def propose(question: Question) -> Iterator[Change]:
    """The elements that were observed to be zero are dropped, if they are about as many as the rate says."""
    case, observed = question.case, question.observed[0]
    rate = float(case.node.origin.config.get("rate", case.node.origin.config.get("p", 0.0)) or 0.0)
    if case.node.type not in NAMES or not 0 < rate < 1 or not observed.whole:
        return
    x, y = case.inputs[0], observed.values
    if x.shape != y.shape:
        return
    some = np.count_nonzero(x)
    dropped = np.count_nonzero((y == 0) & (x != 0))
    groups = x.shape[0] * x.shape[-1] if case.node.type != "Dropout" else some  # whole channels fall together
    if some and abs(dropped / some - rate) <= SIGMAS * np.sqrt(rate * (1 - rate) / groups):
        kept = np.where(y == 0, 0, x).astype(x.dtype)
        scaled = case.as_type("Rescaling", Rescaling(scale=1 / (1 - rate), offset=0.0)).with_input(kept)
        yield Change(f"{dropped / some:.0%} of the elements, rate {rate:g}", scaled)


RULE = Rule("RC313", "dropout active", __doc__, propose)
