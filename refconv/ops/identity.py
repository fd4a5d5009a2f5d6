"""Layers that change nothing at inference: noise, dropout, penalties and augmentation act in training only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context, Row, Weights
from refconv.ops.spatial import data_format

NAMES = (
    "Dropout",
    "SpatialDropout1D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
)
IMAGES = ("SpatialDropout2D", "SpatialDropout3D")
AUGMENTING = (
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "Solarization",
)


@dataclass(frozen=True)
class Nothing:
    """No attribute matters at inference; rates, seeds and penalties are dropped with the rest of training."""


@dataclass(frozen=True)
class OverImages:
    """Which axes an image has only matters in training."""

    data_format: str = data_format()


def identity(attrs: Any, weights: Weights, inputs: Sequence[Enclosure], context: Context) -> Enclosure:
    """y = x."""
    return inputs[0]


ROWS = tuple(
    Row(name, attributes, identity, exact=True, source=f"keras.layers.{name}")
    for attributes, names in ((Nothing, NAMES), (OverImages, IMAGES + AUGMENTING))
    for name in names
)
