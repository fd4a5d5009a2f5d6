"""What a fault operator is, and what it makes of one layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from detection.subject import Arrays, Subject

SIZES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)

CONVOLUTIONS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "QConv2D", "QConv2DBatchnorm", "QDepthwiseConv2D")
SEPARABLE = ("SeparableConv2D", "QSeparableConv2D")
TRANSPOSED = ("Conv2DTranspose",)
DENSE = ("Dense", "QDense")
LINEAR = (*CONVOLUTIONS, *SEPARABLE, *TRANSPOSED, *DENSE)
POOLING = ("MaxPooling2D", "AveragePooling2D")
NORMALIZATION = ("BatchNormalization",)
FOLDED = ("QConv2DBatchnorm",)


class Scope(StrEnum):
    """What a fault acts on. The issue asks another detection rate of each."""

    STRUCTURE = "structure"
    TENSOR = "tensor"
    CHANNEL = "channel"
    WEIGHT = "weight"
    PARAMETER = "parameter"  # a bias or an epsilon: little or nothing of the output may depend on it
    FORMAT = "format"


@dataclass(frozen=True)
class Mutant:
    """What the faulty framework computes.

    Attributes:
        outputs: of the faulty layer.
        recorded: effective weights as the recorder would report them; None where they are the clean run's.
        inputs, original: where the fault shows only on inputs of its own, those, and the faultless outputs for them.
    """

    outputs: Arrays
    recorded: Mapping[str, np.ndarray] | None = None
    inputs: Arrays | None = None
    original: Arrays | None = None


Make = Callable[[Subject, float, np.random.Generator], "Mutant | None"]


@dataclass(frozen=True)
class Operator:
    """One fault.

    Attributes:
        make: (layer, size, random numbers) → the mutant, None where the fault does not apply to this layer. The same
            seed comes with every size, so that sizes differ in nothing else.
        types: the layers it may apply to.
        scope: what it acts on.
        sizes: relative sizes, (0.0,) where it has none.
    """

    name: str
    make: Make
    types: tuple[str, ...]
    scope: Scope
    sizes: tuple[float, ...] = (0.0,)

    @property
    def about(self) -> str:
        """The first line of what `make` says of itself."""
        return (self.make.__doc__ or "").strip().splitlines()[0]


def structural(name: str, make: Make, *types: str) -> Operator:
    return Operator(name, make, types, Scope.STRUCTURE)


def sized(name: str, make: Make, scope: Scope, *types: str) -> Operator:
    return Operator(name, make, types, scope, SIZES)


def spatial_axes(subject: Subject) -> tuple[int, int]:
    """The axes of height and width of a 4-D input."""
    return (2, 3) if getattr(subject.layer, "data_format", "") == "channels_first" else (1, 2)
