"""Test vectors of the `onnx` package: the scripts behind its node tests, and what PyTorch computed for its layers.

A vector is a small graph with inputs and the outputs that somebody else computed. Nothing here converts a layout.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

# Modules of onnx.backend.test.case.node: each makes its cases when it is imported, all 220 of them in 12 s. Left out
# are operators that no layer of Keras has (LpPool, Hardmax …), and those that are no layer of their own (Slice …).
SCRIPTS = (
    "add", "averagepool", "batch_normalization", "celu", "concat", "conv", "convtranspose", "elu", "exp",
    "flatten", "gelu", "gemm", "globalaveragepool", "globalmaxpool", "groupnormalization", "gru", "hardsigmoid",
    "hardswish", "instance_normalization", "layernormalization", "leakyrelu", "logsoftmax", "lstm", "matmul",
    "max", "maxpool", "mean", "min", "mish", "mul", "pad", "prelu", "relu", "rnn", "selu", "shrink", "sigmoid",
    "softmax", "softplus", "softsign", "sub", "sum", "swish", "tanh", "thresholdedrelu", "transpose",
)  # fmt: skip
RECORDED = ("pytorch-converted", "pytorch-operator")


@dataclass(frozen=True)
class Step:
    """One node: the operator, its attributes, and the names of what it takes ("" for nothing) and gives."""

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Vector:
    """A case: `values` are its inputs and constants by name, `expected` the values of its outputs by name."""

    name: str
    steps: tuple[Step, ...]
    values: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]


@cache
def vectors() -> Mapping[str, Vector]:
    """All of them, by name; of the scripts' those of one node, since the others spell the same cases out."""
    scripted = [v for v in _scripted() if len(v.steps) == 1]
    found = [*scripted, *(vector for kind in RECORDED for vector in _recorded(kind))]
    assert len({v.name for v in found}) == len(found)
    return {v.name: v for v in found}


def _scripted() -> list[Vector]:
    """The scripts draw from NumPy's global generator, which is left as it was; some overflow on purpose."""
    package, state = import_module("onnx.backend.test.case.node"), np.random.get_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for script in SCRIPTS:
            import_module(f"{package.__name__}.{script}")
    np.random.set_state(state)
    return [_vector(case.name, case.model, *case.data_sets[0]) for case in package._NodeTestCases]


def _recorded(kind: str) -> list[Vector]:
    folder = Path(onnx.__file__).parent / "backend/test/data" / kind
    return [_from_files(case) for case in sorted(folder.iterdir())]


def _from_files(folder: Path) -> Vector:
    def tensors(which: str) -> list[np.ndarray]:
        count = len(list(folder.glob(f"test_data_set_0/{which}_*.pb")))
        files = [folder / "test_data_set_0" / f"{which}_{number}.pb" for number in range(count)]
        return [numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files]

    return _vector(folder.name, onnx.load(folder / "model.onnx"), tensors("input"), tensors("output"))


def _vector(name: str, model: Any, inputs: Any, outputs: Any) -> Vector:
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    fed = [i.name for i in model.graph.input if i.name not in constants]
    values = {**constants, **dict(zip(fed, map(_array, inputs), strict=False))}
    expected = dict(zip([o.name for o in model.graph.output], map(_array, outputs), strict=False))
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    return Vector(name.removeprefix("test_"), tuple(_step(n, opset) for n in model.graph.node), values, expected)


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if hasattr(value, "raw_data") else np.asarray(value)


def _step(node: Any, opset: int) -> Step:
    attributes = {a.name: _attribute(a) for a in node.attribute}
    return Step(node.op_type, {**attributes, "opset": opset}, tuple(node.input), tuple(node.output))


def _attribute(attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return numpy_helper.to_array(value) if hasattr(value, "raw_data") else value
