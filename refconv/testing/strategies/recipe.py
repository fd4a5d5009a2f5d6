"""A model as a list of calls: readable, hashable data that any Keras can build."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from refconv.testing.strategies.layers import Shape

Layers = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Line:
    """One call of a layer, or of a model inside the model.

    Attributes:
        output: the name of the tensor that it makes.
        layer: the layer's name: where it stands a second time, the same layer is called again.
        kind: its Keras class; "Model" for a model, which `inner` then is.
        inputs: names of the tensors that it takes; several where it joins them.
        config: its arguments, but for the name.
    """

    output: str
    layer: str
    kind: str
    inputs: tuple[str, ...]
    config: tuple[tuple[str, Any], ...] = ()
    inner: Recipe | None = None


@dataclass(frozen=True)
class Recipe:
    """Inputs with their shapes (without the batch), calls in order, and which tensors come out."""

    inputs: tuple[tuple[str, Shape], ...]
    lines: tuple[Line, ...]
    outputs: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of the layers, each layer once, those of inner models too."""
        first = {line.layer: line for line in self.lines}.values()
        return tuple(kind for line in first for kind in (line.inner.kinds if line.inner else (line.kind,)))

    def text(self, indent: str = "") -> Iterator[str]:
        """The lines of code that build it."""
        for name, shape in self.inputs:
            yield f"{indent}{name} = Input({shape})"
        made: set[str] = set()
        for line in self.lines:
            given = line.inputs[0] if len(line.inputs) == 1 else f"[{', '.join(line.inputs)}]"
            if line.layer in made:
                yield f"{indent}{line.output} = {line.layer}({given})"
                continue
            made.add(line.layer)
            if line.inner:
                yield f"{indent}{line.layer} = Model of"
                yield from line.inner.text(indent + "    ")
                yield f"{indent}{line.output} = {line.layer}({given})"
            else:
                said = ", ".join(f"{name}={value!r}" for name, value in (*line.config, ("name", line.layer)))
                yield f"{indent}{line.output} = {line.kind}({said})({given})"
        yield f"{indent}Model([{', '.join(name for name, _ in self.inputs)}], [{', '.join(self.outputs)}])"

    def build(self, keras: Any, layer: Callable[..., Any], name: str | None = None) -> Any:
        """The model by a Keras package; `layer` makes one layer from kind, name and arguments."""
        tensors = {tensor: keras.Input(shape, name=tensor) for tensor, shape in self.inputs}
        inputs, made = list(tensors.values()), dict[str, Any]()
        for line in self.lines:
            if line.layer not in made:
                inner = line.inner
                made[line.layer] = (
                    inner.build(keras, layer, line.layer)
                    if inner
                    else layer(line.kind, name=line.layer, **dict(line.config))
                )
            given = [tensors[tensor] for tensor in line.inputs]
            tensors[line.output] = made[line.layer](given[0] if len(given) == 1 else given)
        outputs = [tensors[tensor] for tensor in self.outputs]
        one = {"inputs": _alone(inputs), "outputs": _alone(outputs)}
        return keras.Model(**one, **({"name": name} if name else {}))


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
