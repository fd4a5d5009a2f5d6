"""A drawn layer call: what the layer is, what it is fed, and whether an output of it is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from refconv.compare.declared import NAMED, Declared
from refconv.compare.layer import Judgement, compare_outputs, judge
from refconv.graph import Node, Origin
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import build
from refconv.ops.base import Context
from refconv.ops.table import TABLE
from refconv.primitives.numpy_engine import ENGINE
from refconv.reference.forward import NodeWeights, forward
from refconv.result import FAILING
from refconv.testing.strategies.failure import Mismatch
from refconv.testing.strategies.values import DTYPES

CONTEXT = Context(ENGINE)
ARITHMETICS = {"float32": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LayerCase:
    """One call of one layer. A family adds its weights and its geometry, by the names that TensorFlow gives them.

    Attributes:
        x: the input.
        dtype: of the input, the weights and the output: float32, float16 or bfloat16.
    """

    x: np.ndarray
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Arrays may be given as nested lists, as a case that is printed has them; fields of () take their default."""
        for f in fields(self):
            if f.type in ("np.ndarray", "np.ndarray | None") and (value := getattr(self, f.name)) is not None:
                object.__setattr__(self, f.name, np.asarray(value, DTYPES[self.dtype]))
        for name, value in self.defaults.items():
            object.__setattr__(self, name, getattr(self, name) or value)

    @property
    def defaults(self) -> dict[str, Any]:
        """Of fields whose default follows from others."""
        return {}

    @property
    def keras(self) -> str:
        """The Keras class."""
        raise NotImplementedError

    @property
    def config(self) -> dict[str, Any]:
        """Its arguments, by the names of Keras 3's `get_config`."""
        raise NotImplementedError

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """By name, in Keras's order."""
        return {}

    @property
    def node(self) -> Node:
        """The call as refconv's reference takes it."""
        attrs = build(TABLE[self.keras].attributes, self.config, self.keras)
        return Node(0, self.keras, self.keras, attrs, (), Origin(self.keras, "keras3", self.config))

    def expected(self) -> Enclosure:
        """The exact output, `mid` (float64), and how far float32 may lie from it: `probable`, `limit`."""
        return forward(self.node, self.weights, [self.x], CONTEXT)[0]

    def right(self, output: Any, arithmetic: str = "") -> bool:
        """Whether `output` is what the layer computes, by the bounds of `refconv check`; arguments as of `check`."""
        got = self.rounded(output)
        contexts = [replace(CONTEXT, arithmetic=one) for one in self.declared(arithmetic).candidates]
        found = (compare_outputs(self.node, self.weights, [self.x], [got], context) for context in contexts)
        return any(one.verdict not in FAILING for one in found)

    def judged(self, output: Any, arithmetic: str = "") -> Judgement:
        """The verdict that `refconv check` would give, and the comparison behind it; arguments as of `check`."""
        weights, declared = NodeWeights(self.weights, {}), self.declared(arithmetic)
        return judge(self.node, weights, {}, [self.x], [self.rounded(output)], CONTEXT, declared)

    def check(self, output: Any, arithmetic: str = "") -> None:
        """Demand that `output` is what the layer computes.

        Args:
            output: an array of any kind; it is rounded to the case's dtype.
            arithmetic: what it may have been computed in, of `refconv check --arithmetic`: tf32, mixed_float16 …; ""
                for the case's own dtype.

        Raises:
            Mismatch: an AssertionError that tells the element that is farthest off, what was expected and got, what
                rounding may do, and which convention, taken for another, would give this output.
        """
        __tracebackhide__ = True
        if not self.right(output, arithmetic):
            raise Mismatch(self, self.rounded(output), arithmetic)

    def declared(self, arithmetic: str = "") -> Declared:
        """The arithmetic that an output may have been computed in."""
        name = arithmetic or ARITHMETICS[self.dtype]
        return Declared(name, NAMED[name])

    def rounded(self, output: Any) -> np.ndarray:
        """An array or tensor as an array of the case's dtype."""
        with np.errstate(all="ignore"):
            return as_array(output).astype(DTYPES[self.dtype])

    def make(self, layer: Callable[..., Any], **arguments: Any) -> Any:
        """A Keras layer of the class `layer`, with this configuration and these weights.

        Args:
            layer: such as `keras.layers.Conv2D`, of Keras 2 or 3, or a class of your own that takes its arguments.
            arguments: more of them, or others.
        """
        policy = {} if self.dtype == "float32" else {"dtype": ARITHMETICS[self.dtype]}
        made = layer(**{**self.config, **policy, **arguments})
        made.build(self.x.shape)
        made.set_weights([w.astype(np.float32) for w in self.weights.values()])
        return made

    def run(self, layer: Callable[..., Any], **arguments: Any) -> np.ndarray:
        """The output of `make(layer)` on the case's input, called eagerly."""
        return as_array(self.make(layer, **arguments)(self.x))

    def __repr__(self) -> str:
        """The call that makes it; arguments that have their default are left out."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        usual = {f.name: f.default for f in fields(self)} | self.defaults
        said = [f"{name}={_said(value)}" for name, value in held.items() if not _same(value, usual[name])]
        return f"{type(self).__name__}({', '.join(said)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis prints an example."""
        printer.text(repr(self))

    def replace(self, **changes: Any) -> Any:
        """The same case with other fields."""
        return replace(self, **changes)


def per_axis(weights: Mapping[str, np.ndarray | None]) -> dict[str, np.ndarray]:
    """Those weights that are there."""
    return {name: value for name, value in weights.items() if value is not None}


def as_array(output: Any) -> np.ndarray:
    """What NumPy makes of an array or tensor; a torch tensor leaves its graph and its device first."""
    if hasattr(output, "detach"):
        output = output.detach().cpu()
    return np.asarray(output)


def _same(value: Any, usual: Any) -> bool:
    return value is usual or not isinstance(value, np.ndarray) and value == usual


def _said(value: Any) -> str:
    return _digits(value.tolist(), value.dtype) if isinstance(value, np.ndarray) else repr(value)


def _digits(value: Any, dtype: np.dtype) -> str:
    """Nested lists of numbers with as many digits as the dtype needs."""
    if isinstance(value, list):
        return "[" + ", ".join(_digits(v, dtype) for v in value) + "]"
    whole = value % 1 == 0 and 0 < abs(value) < 1e5 or repr(value) == "0.0"
    return f"{value:g}" if whole else str(dtype.type(value))
