"""Questions to the rules, from a layer's configuration: what was observed is another layer's output, in float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import Diagnosis, diagnose
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question
from refconv.graph import Node, Origin
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives import engines
from refconv.reference.forward import NodeWeights

CONTEXT = Context(engines.get("numpy"))


def case(keras: str, config: Mapping[str, Any], *inputs: np.ndarray, **weights: np.ndarray) -> Case:
    """A call of a layer of that class; the weights are those stored."""
    row = TABLE[keras]
    node = Node(1, "layer", keras, build(row.attributes, config, keras), (), Origin(keras, "keras3"))
    stored = {name: np.asarray(w, np.float32) for name, w in weights.items()}
    slots = row.slots(node.attrs, stored) if row.slots else {}
    held = NodeWeights(stored, {name: slot.effective for name, slot in slots.items()})
    given = tuple(np.asarray(x, np.float32) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs)
    return Case(node, held.applied, given, stored)


def output(of: Case) -> np.ndarray:
    """What a float32 implementation of that call gives."""
    mid = of.enclose(CONTEXT)[0].mid
    return mid.astype(np.float32) if mid.dtype.kind == "f" else mid


def ask(right: Case, observed: np.ndarray | Observation, **more: Any) -> Question:
    """Why does the call `right` give `observed`?"""
    row, seen = TABLE[right.node.type], observed if isinstance(observed, Observation) else Observation(observed)
    slots = row.slots(right.attrs, right.stored) if row.slots else {}
    return Question(right, (seen,), effective={name: slot.effective for name, slot in slots.items()}, **more)


def why(right: Case, observed: np.ndarray | Observation, **more: Any) -> Diagnosis:
    return diagnose(ask(right, observed, **more), CONTEXT, seconds=60.0)


def codes(found: Diagnosis) -> list[str]:
    """The rules that explain it, the simplest first; two together joined by "+"."""
    return ["+".join(rule.code for rule in one.rules) for one in found.found]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def conv(x: np.ndarray | None = None, **more: Any) -> Case:
    """A Conv2D of 6 filters, 3×3, on 2×7×7×3, with a bias; `more` are attributes."""
    given = drawn(2, 7, 7, 3) if x is None else x
    config = {
        "filters": 6,
        "kernel_size": [3, 3],
        "padding": "same",
        "strides": [1, 1],
        "dilation_rate": [1, 1],
        **more,
    }
    return case("Conv2D", config, given, kernel=drawn(3, 3, given.shape[-1], 6), bias=drawn(6))


def with_kernel(of: Case, kernel: np.ndarray) -> Case:
    return replace(of, weights={**of.weights, "kernel": kernel})
