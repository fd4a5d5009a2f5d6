"""Stored instead of effective weights.

## What
The output is that of the weights as they are stored, which a quantized layer never multiplies by: it multiplies by
what its quantizer makes of them.

## Why
`get_weights()` of a QKeras layer, and the file, hold the weights that training moves, in float32. The quantizer is
applied anew at every call, and its result is kept nowhere.

## Example
With `quantized_bits(4,0,1)` a stored weight of -0.577 is used as -0.625 (code -5 times 0.125); with the default
alpha=None a kernel also gets a scale per channel.

## Fix
Multiply by the effective weights, which `refconv weights MODEL LAYER --codes` prints.
In Python they are `refconv.weights(MODEL)[LAYER].kernel.effective`.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.table import ROWS
from refconv.diagnose.rule import Change, Question, Rule

(RAW,) = [row for row in ROWS if row.name == "stored instead of quantized weights"]


def propose(question: Question) -> Iterator[Change]:
    """All weights as stored, then the kernel alone: a bias is often quantized by hand."""
    case = question.case
    if not case.stored or not RAW.concerns(case):
        return
    raw = RAW.alter(case)
    line = _line(question)
    yield Change("", raw, line=line)
    for name in raw.weights:
        if name != "bias" and "bias" in raw.weights:
            alone = replace(case, weights={**case.weights, name: raw.weights[name]})
            yield Change(f"{name} only", alone, line=line)


def _line(question: Question) -> str:
    graph, node = question.graph, question.case.node
    name = next(iter(_kernels(question.case)), "kernel")
    path = graph.path if graph else "MODEL"
    return f"{name} = refconv.weights({path!r})[{node.layer!r}].{name}.effective"


def _kernels(case: Case) -> list[str]:
    return [name for name in case.weights if name.endswith("kernel")]


RULE = Rule("RC101", "stored instead of effective weights", __doc__, propose)
