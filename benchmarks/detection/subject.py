"""One layer of a live model, to be run alone on the inputs that a clean run of the whole model gave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refconv.compare.declared import Declared
from refconv.compare.layer import UNDECLARED
from refconv.frameworks.worker.loading import Framework
from refconv.frameworks.worker.quantized import effective_weights
from refconv.frameworks.worker.recording import as_is
from refconv.graph import Node
from refconv.reference.forward import NodeWeights

Arrays = tuple[np.ndarray, ...]

# Canonical name → the attributes under which Keras 2, Keras 3 and QKeras hold the variable.
VARIABLES = {"kernel": ("kernel", "depthwise_kernel")}
MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


@dataclass
class Subject:
    """A layer call that faults are planted into.

    Attributes:
        node, weights: the reference's.
        outer: the live layer as the model calls it; `layer` is the one inside a pruning wrapper.
        inputs: what the framework fed the layer in a clean run of the whole model.
        others: the outputs of the other layers in that run, nearest first.
        declared: the arithmetic that the reference allows it.
        mode: "graph" runs a traced function, "eager" the layer itself.
    """

    node: Node
    weights: NodeWeights
    outer: Any
    inputs: Arrays
    framework: Framework
    mode: str = "graph"
    others: Sequence[np.ndarray] = ()
    declared: Declared = UNDECLARED
    _traced: Callable[..., Any] | None = field(default=None, repr=False)

    @property
    def layer(self) -> Any:
        return self.outer.layer if type(self.outer).__name__ == "PruneLowMagnitude" else self.outer

    @property
    def tf(self) -> Any:
        return self.framework.backend.tf

    @property
    def x(self) -> np.ndarray:
        """The first input."""
        return self.inputs[0]

    def variable(self, name: str) -> Any:
        """The live variable of a canonical weight name."""
        for holder in (self.layer, getattr(self.layer, "batchnorm", None)):
            for attribute in VARIABLES.get(name, (name,)):
                if (found := getattr(holder, attribute, None)) is not None:
                    return found
        raise AttributeError(f"{self.node.name} has no variable {name!r}")

    def value(self, name: str) -> np.ndarray:
        """A copy of the live variable's values."""
        return np.array(self.variable(name).numpy())

    def run(self, inputs: Arrays | None = None) -> Arrays:
        """The outputs as the layer stands now, by a function traced once: for changes of variables and inputs."""
        if self._traced is None:
            self._traced = self._function()
        return self._arrays(self._traced(*self._tensors(self.inputs if inputs is None else inputs)))

    def rerun(self, inputs: Arrays | None = None, *, training: bool = False) -> Arrays:
        """The same by a function traced anew: for changes of attributes and of the inputs' shapes."""
        return self._arrays(self._function(training)(*self._tensors(self.inputs if inputs is None else inputs)))

    def compute(self, function: Callable[..., Any], *arrays: np.ndarray) -> Any:
        """A function of the framework's operations on `arrays`, in the subject's mode."""
        return self._arrays(self._compiled(function)(*self._tensors(arrays)))

    def effective(self) -> dict[str, np.ndarray]:
        """The effective weights as the recorder would report them now; empty where nothing is quantized."""
        return {name: np.asarray(value) for name, value in effective_weights(self.layer).items()}

    @contextmanager
    def assigned(self, values: Mapping[str, np.ndarray]) -> Iterator[None]:
        """Other values in the layer's variables, and the former ones afterwards."""
        before = {name: self.value(name) for name in values}
        try:
            for name, value in values.items():
                self.variable(name).assign(value.astype(before[name].dtype))
            yield
        finally:
            for name, value in before.items():
                self.variable(name).assign(value)

    @contextmanager
    def changed(self, target: Any = None, **attributes: Any) -> Iterator[None]:
        """Other attributes of the live layer (or of an object that it holds), past what Keras tracks and refuses."""
        held = vars(self.layer if target is None else target)
        with ExitStack() as stack:
            for name, value in attributes.items():
                stack.callback(_restore, held, name, held.get(name, _restore))
                held[name] = value
            yield

    def _function(self, training: bool = False) -> Callable[..., Any]:
        def call(*tensors: Any) -> Any:
            whole = self.node.type in MERGING
            return self.outer(list(tensors) if whole else tensors[0], training=training)

        return self._compiled(call)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function if self.mode == "eager" else self.tf.function(as_is(function))

    def _tensors(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        return [self.tf.constant(array) for array in arrays]

    def _arrays(self, outputs: Any) -> Arrays:
        return tuple(np.asarray(tensor) for tensor in self.tf.nest.flatten(outputs))


def _restore(held: dict[str, Any], name: str, value: Any) -> None:
    if value is _restore:  # it was not there
        held.pop(name, None)
    else:
        held[name] = value


def find_layer(model: Any, path: str) -> Any:
    """The live layer of a node's path, "/" between nested models; None where the model has no such layer."""
    for layer in model.layers:
        if layer.name == path:
            return layer
        if hasattr(layer, "layers") and path.startswith(layer.name + "/"):
            return find_layer(layer, path[len(layer.name) + 1 :])
    return None
