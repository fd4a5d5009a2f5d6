"""From steps to a recipe. Any steps make a valid model, so that each may be left out, and its numbers lowered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from hypothesis import strategies as st

from refconv.testing.strategies.layers import MOST, Numbers, Shape, choices
from refconv.testing.strategies.quantizing import quantizers
from refconv.testing.strategies.recipe import Line, Recipe

FORMS = ("layer", "join", "again", "model")
JOINS = ("Add", "Concatenate", "Multiply", "Average", "Maximum", "Subtract")
KERNELS = ("quantized_bits", "binary", "ternary", "quantized_po2")
ACTIVATIONS = ("quantized_relu", "quantized_bits", "quantized_tanh", "quantized_sigmoid")


@dataclass(frozen=True)
class Step:
    """What is done next.

    Attributes:
        form: a layer, tensors joined, a layer called again, or a model.
        source: which tensor goes in, counted back from the last.
        choice: which layer, join or earlier layer.
        numbers: the layer's arguments.
        quantizers: of a kernel and of an activation.
        inside: the steps of the model.
    """

    form: str
    source: int
    choice: int
    numbers: tuple[int, ...]
    quantizers: tuple[str, ...] = ()
    inside: tuple[Step, ...] = ()


def steps(*, quantized: bool, nested: bool = True, max_size: int) -> st.SearchStrategy[tuple[Step, ...]]:
    """Lists of at least one step."""
    forms = ("layer", "layer", "layer", *FORMS) if nested else ("layer", "layer", "join", "again")
    inside = steps(quantized=quantized, nested=False, max_size=3) if nested else st.just(())
    pair = st.tuples(
        quantizers(KERNELS, max_bits=6, alphas=(1.0, None, "auto_po2")).map(str),
        quantizers(ACTIVATIONS, max_bits=6, alphas=(1.0,)).map(str),
    )
    one = st.sampled_from(forms).flatmap(
        lambda form: st.builds(
            Step,
            form=st.just(form),
            source=st.integers(0, 5),
            choice=st.integers(0, 23),
            numbers=st.tuples(*[st.integers(0, 11)] * 8),
            quantizers=pair if quantized else st.just(()),
            inside=inside if form == "model" else st.just(()),
        )
    )
    return counted(one, max_size)


@st.composite
def counted(draw: st.DrawFn, one: st.SearchStrategy[Step], most: int) -> tuple[Step, ...]:
    """From one to `most`, their number first: Hypothesis lowers it and leaves out one of what is drawn after it.

    Of a list it would leave out at most five choices at once, and a step is more.
    """
    return tuple(draw(one) for _ in range(draw(st.integers(1, most))))


class Planner:
    """Takes steps one by one; `tensors` are the names and shapes that there are by then."""

    def __init__(
        self, inputs: Sequence[tuple[str, Shape]], *, quantized: bool, names: Counter[str], prefix: str
    ) -> None:
        self.tensors = dict(inputs)
        self._inputs, self._quantized, self._names, self._prefix = tuple(inputs), quantized, names, prefix
        self.lines: list[Line] = []

    def take(self, step: Step) -> None:
        source = list(self.tensors)[-1 - step.source % len(self.tensors)]
        made = {"join": self._join, "again": self._again, "model": self._model}.get(step.form, self._layer)
        made(step, source) or self._layer(step, source)

    def recipe(self) -> Recipe:
        """Inputs that nothing takes are left out; what nothing takes is an output."""
        taken = {name for line in self.lines for name in line.inputs}
        inputs = tuple((name, shape) for name, shape in self._inputs if name in taken)
        return Recipe(inputs, tuple(self.lines), tuple(line.output for line in self.lines if line.output not in taken))

    def _named(self, kind: str) -> str:
        word = kind.lower()
        self._names[word] += 1
        return f"{word}_{self._names[word]}"

    def _add(self, kind: str, inputs: tuple[str, ...], shape: Shape, layer: str = "", **more: object) -> bool:
        output = f"{self._prefix}{len(self.lines) + 1}"
        self.lines.append(Line(output, layer or self._named(kind), kind, inputs, **more))  # type: ignore[arg-type]
        self.tensors[output] = shape
        return True

    def _layer(self, step: Step, source: str) -> bool:
        shape = self.tensors[source]
        offered = choices(shape, quantized=self._quantized)
        found = offered[step.choice % len(offered)](shape, Numbers(step.numbers, step.quantizers))
        return self._add(found.kind, (source,), found.shape, config=tuple(found.config.items()))

    def _join(self, step: Step, source: str) -> bool:
        """The tensor and another of its shape; or of its shape but for the channels, one behind the other."""
        shape, join = self.tensors[source], JOINS[step.choice % len(JOINS)]
        channels = join == "Concatenate"
        others = [
            n for n, s in self.tensors.items() if n != source and (s[:-1] == shape[:-1] if channels else s == shape)
        ]
        if not others or prod(shape) > MOST:
            return False
        other = others[-1 - step.numbers[0] % len(others)]
        width = shape[-1] + (self.tensors[other][-1] if channels else 0)
        return self._add(join, (source, other), (*shape[:-1], width))

    def _again(self, step: Step, source: str) -> bool:
        """A layer or model that took one tensor of this shape before."""
        shape = self.tensors[source]
        known = {line.layer: line for line in self.lines if [self.tensors[name] for name in line.inputs] == [shape]}
        if not known:
            return False
        line = list(known.values())[-1 - step.choice % len(known)]
        return self._add(
            line.kind, (source,), self.tensors[line.output], line.layer, config=line.config, inner=line.inner
        )

    def _model(self, step: Step, source: str) -> bool:
        """A model of one input and one output: its last tensor."""
        name = self._named("model")
        inner = Planner(
            [(f"{name}_x", self.tensors[source])], quantized=self._quantized, names=self._names, prefix=f"{name}_"
        )
        for one in step.inside:
            inner.take(one)
        found = inner.recipe()
        if not found.lines:
            return False
        *_, last = found.lines
        found = pruned(found, last.output)
        return self._add("Model", (source,), inner.tensors[last.output], name, inner=found)


def pruned(recipe: Recipe, output: str) -> Recipe:
    """The part of a recipe that makes one tensor."""
    wanted, kept = {output}, []
    for line in reversed(recipe.lines):
        if line.output in wanted:
            kept.append(line)
            wanted |= set(line.inputs)
    return Recipe(recipe.inputs, tuple(reversed(kept)), (output,))


def plan(inputs: Sequence[Shape], todo: Sequence[Step], *, quantized: bool) -> Recipe:
    planner = Planner(
        [(f"x{number}", shape) for number, shape in enumerate(inputs)], quantized=quantized, names=Counter(), prefix="y"
    )
    for step in todo:
        planner.take(step)
    return planner.recipe()
