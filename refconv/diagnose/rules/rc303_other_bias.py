"""Bias of another layer.

## What
The bias that is added is another layer's of the same length.

## Why
Arrays are numbered in a file and not named, and layers of one width have biases that fit each other.

## Example
`weights[3]` taken for the second convolution's bias where a BatchNormalization in between has four arrays.

## Fix
Take weights by the layer's name.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import both
from refconv.diagnose.rule import Change, Question, Rule

NAMES = ("bias", "beta")


def propose(question: Question) -> Iterator[Change]:
    """The nearest layers first."""
    case, graph = question.case, question.graph
    name = next((n for n in NAMES if n in case.weights), None)
    if graph is None or name is None:
        return
    others = sorted(graph.nodes, key=lambda node: abs(node.index - case.node.index))
    for node in others:
        for kind in NAMES:
            weight = node.weights.get(kind)
            if node.layer != case.node.layer and weight is not None and weight.shape == case.weights[name].shape:
                for altered in both(case, partial(_with, name=name, value=weight.value)):
                    yield Change(f"that of {node.layer}", altered)


def _with(case: Case, *, name: str, value: np.ndarray) -> Case:
    return case.with_weights(**{name: value})


RULE = Rule("RC303", "bias of another layer", __doc__, propose)
