"""Kernel flipped.

## What
The layer computes with its kernel turned by 180 degrees along its spatial axes: a true convolution, where Keras's
layers compute the cross-correlation.

## Why
Signal processing libraries (`scipy.signal.convolve`, `numpy.convolve`) turn the kernel; Keras, PyTorch and ONNX do
not. Theano did too, so a file that Keras wrote on Theano (its `backend` attribute says so) holds kernels turned that
way, and a framework that ignores the attribute computes something else than was trained.

## Example
For x = 1, 2, 3 and the kernel 1, 0, -1 a layer gives 1 - 3 = -2; turned round it gives 3 - 1 = 2.

## Fix
Turn the kernel along its spatial axes, or call the correlation of the library in place of its convolution.
For a file written on Theano, run the model that refconv writes from it (`refconv check MODEL --rebuild`).
"""

from collections.abc import Iterator

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.alter import both, by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.formats.theano import is_rotated, rotated_weights, spatial_axes

ROWS = by_rows("kernel flipped")
THEANO = "the file's `backend` attribute says that Theano wrote it, and the kernel is used as stored"
LINE = "kernel = kernel[::-1, ::-1]"


def propose(question: Question) -> Iterator[Change]:
    """As the file holds it, where Theano wrote it; else turned."""
    node, graph = question.case.node, question.graph
    if graph is not None and is_rotated(graph.backend, node.type):
        fix = "Turn the kernel back when the file is read, or run the model that refconv writes: --rebuild."
        for case in both(question.case, _as_stored):
            yield Change(THEANO, case, fix, LINE)
        return
    for change in ROWS(question):
        yield Change("", change.case, line=LINE)


def _as_stored(case: Case) -> Case:
    names = [name for name in rotated_weights(case.node.type) if name in case.weights]
    turned = {name: np.flip(case.weights[name], spatial_axes(case.weights[name].ndim)) for name in names}
    return case.with_weights(**turned)


RULE = Rule("RC203", "kernel flipped", __doc__, propose)
