"""Augmentation acts in training only, in both versions of Keras; RandomCrop cuts and resizes instead."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.laws import CONTEXT
from support.live import PACKAGES
from support.one import holds

from refconv.formats.architecture import Layer
from refconv.formats.resolve import Resolved, resolve
from refconv.numerics.enclosure import Enclosure, point
from refconv.ops.identity import AUGMENTING
from refconv.ops.table import TABLE

GIVEN: dict[str, dict[str, Any]] = {
    "RandomPosterization": {"factor": 3},
    "RandomTranslation": {"height_factor": 0.4, "width_factor": 0.4},
    "RandomZoom": {"height_factor": 0.4},
    "RandomShear": {"x_factor": 0.4},
    "RandomColorJitter": {"brightness_factor": 0.4},
    "RandomElasticTransform": {"factor": 1.0, "scale": 1.0},
    **dict.fromkeys(("AugMix", "CutMix", "MixUp", "RandAugment", "RandomFlip", "Solarization"), {}),
}
IN_KERAS_2 = 8
X = np.random.default_rng(0).uniform(0, 255, (2, 7, 6, 3)).astype(np.float32)


def layer(major: int, name: str, **config: Any) -> tuple[Any, Resolved]:
    """The live layer, and what its configuration is read as."""
    live = getattr(import_module(PACKAGES[major]).layers, name)(**config)
    written = Layer(name, name, live.get_config(), (), {})
    return live, resolve(written, name, f"keras{major}")


def enclosed(found: Resolved, x: np.ndarray) -> Enclosure:
    assert found.row is not None, found.reason
    result = found.row.forward(found.attrs, {}, (point(x),), CONTEXT)
    assert isinstance(result, Enclosure)
    return result


def acts(live: Any, *, training: bool) -> bool:
    """Whether the layer gives back anything else than its input, in some of several draws."""
    return any(not np.array_equal(live(tf.constant(X), training=training), X) for _ in range(64))


@pytest.mark.parametrize("major", PACKAGES)
def test_augmentation_is_the_identity_at_inference_and_not_in_training(major: int) -> None:
    keras = import_module(PACKAGES[major])
    keras.utils.set_random_seed(0)  # each layer's own seed is drawn from it
    layers = keras.layers
    names = [name for name in AUGMENTING if hasattr(layers, name)]
    assert len(names) == (IN_KERAS_2 if major == 2 else len(AUGMENTING) - 2)  # RandomHeight, RandomWidth: Keras 2's
    for name in names:
        live, found = layer(major, name, **GIVEN.get(name, {"factor": 0.4}))
        assert enclosed(found, X).mid is not None and np.array_equal(enclosed(found, X).mid, X), name
        assert not acts(live, training=False), name
        assert acts(live, training=True), name


@pytest.mark.parametrize("size", [(3, 4), (5, 2), (9, 8), (7, 6)])
def test_random_crop_cuts_to_the_aspect_ratio_and_resizes(size: tuple[int, int]) -> None:
    live, found = layer(2, "RandomCrop", height=size[0], width=size[1])
    got = np.asarray(live(tf.constant(X), training=False))
    assert holds(enclosed(found, X), got)
    assert size == (7, 6) or not holds(enclosed(found, X), np.roll(got, 1, axis=1))


def test_keras_3_does_not_do_what_it_documents_of_random_crop() -> None:
    """A mismatch of shapes unless the image has the target's size already; the row's note says so."""
    live, found = layer(3, "RandomCrop", height=3, width=4)
    assert np.array_equal(live(tf.constant(X), training=False), X)
    assert enclosed(found, X).mid.shape == (2, 3, 4, 3)
    assert "Keras 3.15 gives back its input" in TABLE["RandomCrop"].note


def test_a_box_format_or_an_unheard_of_field_is_not_ignored() -> None:
    assert "bounding_box_format" in layer(3, "RandomFlip", bounding_box_format="xyxy")[1].reason
    read = resolve(Layer("flip", "RandomFlip", {"always": True}, (), {}), "flip", "keras3")
    assert "always" in read.reason
    used_elsewhere = resolve(Layer("up", "UpSampling2D", {"interpolation": "mitchell"}, (), {}), "up", "keras3")
    assert "interpolation" in used_elsewhere.reason
