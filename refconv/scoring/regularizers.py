"""What a model's regularizers add to its loss, from the configuration and the stored weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from refconv.graph import Graph, Node, Weight
from refconv.numerics.arithmetic import Arithmetic
from refconv.numerics.moments import Moments
from refconv.scoring.predictions import Unsettled
from refconv.scoring.spread import Spread, zero

SUFFIX = "_regularizer"
OF_NOTHING = {"l1": 0.0, "l2": 0.0}
NAMED = {"l1": {"l1": 0.01}, "l2": {"l2": 0.01}, "l1_l2": {"l1": 0.01, "l2": 0.01}, "L1": {"l1": 0.01}}
NAMED |= {"L2": {"l2": 0.01}, "L1L2": OF_NOTHING, "l1l2": OF_NOTHING, "WeightRegularizer": OF_NOTHING}


def penalty(graph: Graph, keras: int) -> Spread:
    """Σ over all regularized weights of l1·Σ|w| + l2·Σw², each weight once.

    Keras 3 leaves out weights that are not trainable, Keras 2 does not.

    Raises:
        Unsettled: a regularizer without a reference.
    """
    total, seen = zero(), set[str]()
    for node in graph.nodes:
        for weight, factors in _regularized(node):
            if weight.path not in seen and (keras == 2 or weight.trainable):
                seen.add(weight.path)
                total = total.plus(_of(weight, factors))
    return total


def _regularized(node: Node) -> Iterator[tuple[Weight, Mapping[str, float]]]:
    for key, value in _configured(node.origin.config):
        factors = _factors(value, node.name)
        if not any(factors.values()):
            continue
        weight = node.weights.get(key.removesuffix(SUFFIX))
        if weight is None:  # activity, or a weight that refconv calls otherwise
            raise Unsettled(f"layer {node.name}: {key} has no reference")
        yield weight, factors


def _configured(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The regularizers of a layer, and of those that it wraps."""
    for key, value in config.items():
        if key.endswith(SUFFIX):
            if value not in (None, {}):
                yield key, value
        elif isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
            yield from _configured(value["config"])


def _factors(value: Any, name: str) -> dict[str, float]:
    """{"l1": …, "l2": …} of a name or of what a file says."""
    config: Mapping[str, Any] = {}
    if isinstance(value, Mapping):
        given = value.get("config")
        config, value = given if isinstance(given, Mapping) else {}, value.get("class_name")
    if not isinstance(value, str) or value.rpartition(">")[2] not in NAMED:
        raise Unsettled(f"layer {name}: regularizer {value!r} has no reference")
    factors = {**OF_NOTHING, **NAMED[value.rpartition(">")[2]]}
    return {k: float(np.float32(config.get(k) if config.get(k) is not None else v)) for k, v in factors.items()}


def _of(weight: Weight, factors: Mapping[str, float]) -> Spread:
    w = np.asarray(weight.value, np.float64).reshape(-1)
    terms = ((factors["l1"], np.abs(w)), (factors["l2"], w * w))
    found = zero()
    for factor, values in terms:
        if factor:
            found = found.plus(_sum(values).times(factor))
    return found


def _sum(values: np.ndarray) -> Spread:
    """Σ, within the probable bound of a float32 sum (NUMERICS, stage 1)."""
    total = np.asarray(values.sum())
    moments = Moments(y=total, Q=np.asarray(np.sum(values * values)), n=len(values), A=total)
    e = Arithmetic().close(moments)
    return Spread(total, total, total).widen(np.asarray(e.probable) + 4 * Arithmetic().u * total)
