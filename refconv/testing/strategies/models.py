"""Random valid Functional models: branches, layers called again, models inside, several inputs and outputs."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refconv import formats
from refconv.errors import BadInput
from refconv.frameworks.live import recorded
from refconv.graph import Graph
from refconv.pipeline import Options, verify
from refconv.result import FAILING, CheckResult, LayerResult, Verdict
from refconv.testing.strategies.failure import compared, told
from refconv.testing.strategies.layers import Shape
from refconv.testing.strategies.recipe import Layers, Recipe
from refconv.testing.strategies.steps import plan, steps

ENDINGS = {2: ".h5", 3: ".keras"}


class ModelMismatch(AssertionError):
    """A model is wrong: which layers, and why.

    Attributes:
        case, result: the model, and its check.
    """

    def __init__(self, case: ModelCase, result: CheckResult) -> None:
        super().__init__(case, result)
        self.case, self.result = case, result

    def __str__(self) -> str:
        wrong = [layer for layer in self.result.layers if layer.verdict in (*FAILING, Verdict.UNVERIFIED)]
        lines = [line for layer in wrong for line in _told(layer)]
        plain = self.result.plain
        return "\n    ".join(
            [
                "the model differs from the reference" if self.result.verdict == "fail" else "it was not all verified",
                *lines,
                *([plain.reason] if plain and not plain.ok else []),
                *self.result.notes,
            ]
        )


def _told(layer: LayerResult) -> list[str]:
    head = f"{layer.name}  {layer.type}  {layer.verdict}"
    reason = [layer.reason] if layer.reason else []
    return [
        head,
        *(f"    {line}" for line in (*(compared(layer.worst) if layer.worst else []), *reason, *told(layer.findings))),
    ]


@dataclass(frozen=True, repr=False)
class ModelCase:
    """A model that any Keras of its version can build, its weights, and inputs for it.

    Attributes:
        recipe: the calls that it is made of.
        keras: the major version of Keras: 2 or 3.
        quantized: made of QKeras's layers.
        seed: of weights and inputs; 0 gives 1, 2, 3 … 7, over and over.
        batch: how many samples the inputs have.
    """

    recipe: Recipe
    keras: int = 3
    quantized: bool = False
    seed: int = 0
    batch: int = 2

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of its layers."""
        return self.recipe.kinds

    @property
    def inputs(self) -> list[np.ndarray]:
        """One float32 array (batch, …) for each input."""
        rng = np.random.default_rng((self.seed, 0))
        return [self._drawn(rng, (self.batch, *shape)) for _, shape in self.recipe.inputs]

    def build(self, keras: Any, qkeras: Any = None, layers: Layers | None = None) -> Any:
        """The model, its weights drawn.

        Args:
            keras: the package: `keras`, or `tf_keras` for Keras 2.
            qkeras: the package `qkeras`, for a quantized model.
            layers: by the name of a Keras class, what to make instead of it with the same arguments.
        """

        def made(kind: str, **config: Any) -> Any:
            own = (layers or {}).get(kind)
            if own is None and kind in QKERAS and qkeras is None:
                raise BadInput(f"{kind} is QKeras's", hint="case.build(keras, qkeras)")
            return (own or getattr(qkeras if kind in QKERAS else keras.layers, kind))(**config)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of QKeras's initializers, whose values are not kept
            model = self.recipe.build(keras, made)
        rng = np.random.default_rng((self.seed, 1))
        model.set_weights([self._weight(rng, v) for v in model.weights])
        return model

    def check(
        self,
        keras: Any,
        qkeras: Any = None,
        layers: Layers | None = None,
        *,
        mode: str = "eager",
    ) -> CheckResult:
        """Build the model, run it in this process, and verify every layer of it by its file.

        Args:
            keras, qkeras, layers: as of `build`; the file is that of the model without `layers`.
            mode: how the framework runs: "eager", "graph" or "xla".

        Raises:
            ModelMismatch: an AssertionError that names the layers that are wrong, or not verified, and says why.
        """
        __tracebackhide__ = True
        plain = self.build(keras, qkeras)
        live = self.build(keras, qkeras, layers) if layers else plain
        result = self.judged(plain, live, keras, mode)
        if result.verdict != "pass":
            raise ModelMismatch(self, result)
        return result

    def judged(self, model: Any, live: Any, keras: Any, mode: str = "eager") -> CheckResult:
        """The check of `live` by the file that `model` is saved in."""
        with tempfile.TemporaryDirectory() as folder:
            graph = self.read(model, Path(folder) / f"model{ENDINGS[self.keras]}")
            arrays = self.inputs
            options = Options(mode=mode, engine="numpy")
            with recorded(live, arrays, mode=mode) as stream:
                return verify(graph, stream, arrays, options, seeded=self.seed > 0)

    def read(self, model: Any, path: Path) -> Graph:
        """Save the model there, and read it as refconv does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Keras 2 advises against HDF5
            model.save(path)
        return formats.load(path)

    def _drawn(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """Seed 0 counts, so that no layer hides another by zeros, whatever the shapes are."""
        counted = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 7 + 1
        return (rng.standard_normal(shape) if self.seed else counted).astype(np.float32)

    def _weight(self, rng: np.random.Generator, variable: Any) -> np.ndarray:
        """Statistics and biases drawn too; variances positive, and counters as they are."""
        held = np.asarray(variable)
        if held.dtype.kind != "f":
            return held
        values = self._drawn(rng, held.shape)
        return np.abs(values) + np.float32(0.5) if "variance" in variable.name else values

    def __repr__(self) -> str:
        """The lines that build it."""
        said = f"Keras {self.keras}, seed {self.seed}, batch {self.batch}" + (", quantized" if self.quantized else "")
        return "\n".join([f"ModelCase of {said}:", *self.recipe.text("    ")])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis prints an example."""
        printer.text(repr(self))


QKERAS = frozenset(
    {"QDense", "QConv1D", "QConv2D", "QDepthwiseConv2D", "QSeparableConv1D", "QSeparableConv2D", "QActivation"}
)


def _shapes(ranks: Sequence[int], max_side: int, max_channels: int) -> st.SearchStrategy[Shape]:
    side, channels = st.integers(1, max_side), st.integers(1, max_channels)
    return st.one_of(*(st.tuples(*[side] * (rank - 1), channels) for rank in ranks))


@st.composite
def models(
    draw: st.DrawFn,
    keras: int = 3,
    *,
    quantized: bool = False,
    max_layers: int = 8,
    max_side: int = 5,
    max_channels: int = 3,
    max_inputs: int = 2,
    ranks: Sequence[int] = (1, 2, 3),
    max_batch: int = 2,
) -> ModelCase:
    """Functional models of up to `max_layers` calls, over vectors, sequences and images, with shapes that fit.

    Drawn are one or more inputs, and calls: of a new layer on any tensor that there is, so that branches arise; of a
    layer on two tensors (Add, Concatenate …); of a layer or model that was called before; of a Functional model of up
    to three layers. Every tensor that nothing takes is an output. A failing example shrinks to one small layer.

    Args:
        keras: the major version, 2 or 3.
        ranks: of the inputs, without the batch: 1 for vectors, 2 for sequences, 3 for images.
        quantized: QKeras's layers, which need Keras 2, beside those without weights.

    Left out: channels first, recurrent and attention layers, masks, other dtypes than float32.
    """
    if quantized and keras != 2:
        raise BadInput("QKeras needs Keras 2", hint="models(2, quantized=True)")
    shapes = draw(st.lists(_shapes(ranks, max_side, max_channels), min_size=1, max_size=max_inputs))
    todo = draw(steps(quantized=quantized, max_size=max_layers))
    recipe = plan(shapes, todo, quantized=quantized)
    return ModelCase(recipe, keras, quantized, draw(st.integers(0, 2**16)), draw(st.integers(1, max_batch)))
