"""The laws' other side: a Keras layer built from a generated configuration, with random weights, beside its row.

Another family's tests need a strategy of `Case` per row name (see `support.cases`), and get every law of
`ops/test_laws.py` for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from refconv.formats.architecture import Layer
from refconv.formats.resolve import resolve
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.base import Context, Row, fits
from refconv.primitives.numpy_engine import ENGINE

CONTEXT = Context(ENGINE)
APART = ("MultiHeadAttention", "GroupQueryAttention")  # called on several tensors, not on a list of them
BUILT_BY_CALLING = (*APART, "Pipeline")
FIELDS = ("mid", "sigma", "worst", "floor")


@dataclass(frozen=True)
class Case:
    """One layer to try.

    Attributes:
        config: what its class's `from_config` gets.
        shapes: the shape of each input, batch first.
        majors: the Keras versions that have such a layer.
        integers: inputs are integers below this, instead of floats.
        package: the package of a layer that is not Keras's own (qkeras).
    """

    config: Mapping[str, Any]
    shapes: tuple[tuple[int, ...], ...]
    majors: tuple[int, ...] = (2, 3)
    integers: int | None = None
    package: str = ""


@dataclass(frozen=True)
class Run:
    """One layer, by both sides; each side computes when it is first asked."""

    layer: Any
    keras: int
    row: Row
    attrs: Any
    weights: Mapping[str, np.ndarray]
    inputs: tuple[np.ndarray, ...]

    @cached_property
    def enclosures(self) -> tuple[Enclosure, ...]:
        return self.again(self.inputs)

    @cached_property
    def outputs(self) -> tuple[np.ndarray, ...]:
        return _call(self.layer, self.inputs)

    @property
    def misplaces_bias(self) -> bool:
        """Keras 3.15 on TensorFlow adds a bias along another axis where that is as long as the bias's own.

        Its `ops.add` looks at sizes alone; `test_convolution` and `test_attention` hold that refconv sees it.
        """
        shape = self.enclosures[0].mid.shape
        bias = self.weights.get("bias", np.zeros(())).shape
        if self.keras == 3 and len(bias) > 1 and len(longer := [n for n in bias if n > 1]) == 1:
            taken = len(shape) - 1 if shape[-1] == longer[0] else 1 if shape[1] == longer[0] else None
            return taken is not None and taken != len(shape) - len(bias) + bias.index(longer[0])
        channels_first = getattr(self.attrs, "data_format", "") == "channels_first"
        return channels_first and "bias" in self.weights and self.keras == 3 and 1 < shape[1] == shape[-1]

    def again(self, inputs: Sequence[np.ndarray]) -> tuple[Enclosure, ...]:
        """The row's enclosures on other inputs. NaN and Inf are values: NumPy need not warn of them."""
        with np.errstate(all="ignore"):
            result = self.row.forward(self.attrs, self.weights, tuple(point(x) for x in inputs), CONTEXT)
        return result if isinstance(result, tuple) else (result,)


def draw_inputs(case: Case, seed: int) -> tuple[np.ndarray, ...]:
    """Inputs of a case: normal, rectified, uniform or small integers as floats, by the seed."""
    rng = np.random.default_rng(seed)
    if case.integers is not None:
        return tuple(rng.integers(0, case.integers, shape).astype(np.int32) for shape in case.shapes)
    makers = (
        rng.standard_normal,
        lambda shape: np.maximum(rng.standard_normal(shape), 0),
        lambda shape: rng.random(shape),
        lambda shape: rng.integers(-8, 9, shape),
    )
    return tuple(np.asarray(makers[seed % len(makers)](shape), dtype=np.float32) for shape in case.shapes)


def run_row(
    name: str, config: Mapping[str, Any], inputs: Sequence[np.ndarray], keras: int, seed: int = 0, package: str = ""
) -> Run:
    """Build the Keras layer, draw its weights, and read its configuration as a file's into the row's attributes."""
    own = "tf_keras" if keras == 2 else "keras"
    if package.startswith("applications."):  # a class of Keras's own that is in no public module
        layers = import_module(f"{own}.src.{package}")
    else:
        layers = import_module(package) if package else import_module(own).layers
    cls = getattr(layers, name)  # tf-keras builds an attention layer from what its configuration adds to the arguments
    layer = cls(**config) if name in APART else cls.from_config(dict(config))
    shapes = [x.shape for x in inputs]
    if name in BUILT_BY_CALLING:
        _call(layer, inputs)
    else:
        layer.build(shapes[0] if len(shapes) == 1 else shapes)
        layer.built = True  # Keras 2's LayerScale does not say so, and would be built anew when it is called
    variables = _draw_weights(layer, seed)
    written = json.loads(json.dumps(layer.get_config(), default=_plain))
    found = resolve(Layer(name, name, written, calls=(), raw={}), name, f"keras{keras}")
    assert found.row is not None, found.reason
    weights = _name_weights(found.row, found.attrs, variables)
    return Run(layer, keras, found.row, found.attrs, weights, tuple(inputs))


def _plain(value: Any) -> Any:
    """What TensorFlow wraps (a dictionary that a layer keeps, a shape), and arrays."""
    return dict(value) if isinstance(value, Mapping) else value.tolist() if hasattr(value, "tolist") else list(value)


def _draw_weights(layer: Any, seed: int) -> list[np.ndarray]:
    """Every variable drawn, biases and statistics too (TRAPS 32); variances positive."""
    rng = np.random.default_rng(seed + 1)
    for variable in layer.weights:
        values = rng.standard_normal(tuple(variable.shape))
        variable.assign((np.abs(values) + 0.1 if "variance" in variable.name else values).astype(np.float32))
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()  # as loading does: Normalization computes with copies of its weights
    return [np.asarray(variable) for variable in layer.weights]


def _name_weights(row: Row, attrs: Any, variables: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Keras's variables by the row's names, in order, each fitting the row's shape."""
    shapes = row.weights(attrs)
    assert len(shapes) == len(variables), f"{row.keras} has weights {list(shapes)}, Keras has {len(variables)}"
    for (name, shape), value in zip(shapes.items(), variables, strict=True):
        assert fits(shape, value.shape), f"{row.keras}.{name} has shape {shape}, Keras's has {value.shape}"
    return dict(zip(shapes, variables, strict=True))


def _call(layer: Any, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The layer's outputs, eagerly; under XLA where TensorFlow has no eager CPU kernel (TRAPS 30)."""
    import tensorflow as tf

    tensors = [tf.constant(x) for x in inputs]
    if type(layer).__name__ in (*APART, "GroupedQueryAttention"):
        return (np.asarray(layer(*tensors)),)
    argument = tensors[0] if len(tensors) == 1 else tensors
    try:
        result = layer(argument)
    except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
        result = tf.function(layer, jit_compile=True)(argument)
    return tuple(np.asarray(y) for y in (result if isinstance(result, (list, tuple)) else [result]))
