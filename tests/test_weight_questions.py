"""What people ask about weights, with real training: what moved in frozen layers, which rows never did, what zeros do.

Models are small, and trained for a moment on scikit-learn's digits or on MNIST; what they learn does not matter.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from sklearn.datasets import load_digits
from support.models import model_path, needs_models

import refconv
from refconv.inventory.causes import FLAG, FRESH, LEAKED, MOVING, WAS_TRAINED
from refconv.inventory.difference import Difference
from refconv.keras import WeightRecorder
from refconv.report.difference import text

SAMPLE = Path(refconv.__file__).parent / "samples" / "digits.keras"
IMAGES, TARGETS = load_digits(return_X_y=True)
IMAGES = (IMAGES / 16).astype(np.float32).reshape(-1, 8, 8, 1)


def changed(found: Difference) -> set[str]:
    return {weight.label for weight in found.weights if not weight.is_same}


def test_all_weights_set_to_zero(tmp_path: Path) -> None:
    """The framework computes with the zeros: every output is 0, and the report says where that proves nothing."""
    done = refconv.edit(SAMPLE, tmp_path / "zero.keras", set=["conv*=0", "depthwise*=0", "separable=0", "classes=0"])
    assert {w.label for w in done.weights} >= {"conv/kernel", "classes/kernel", "classes/bias"}
    result = refconv.check(tmp_path / "zero.keras")
    assert (result.verdict, result.exit_code) == ("pass", 0)
    verdicts = {layer.name: layer.verdict.value for layer in result.layers}
    assert set(verdicts.values()) == {"exact", "vacuous"}, verdicts
    assert result.counts["vacuous"] == sum(verdict == "vacuous" for verdict in verdicts.values())
    assert result.counts["exact"] + result.counts["vacuous"] == result.counts["layers"]
    assert (verdicts["conv"], verdicts["classes"]) == ("exact", "vacuous")  # the first has inputs that are not 0
    assert refconv.diff(SAMPLE, tmp_path / "zero.keras").failed


LOSS = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def with_norm() -> Any:
    layers = tf_keras.layers
    stack = [
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(momentum=0.9, name="norm"),
        layers.ReLU(name="relu"),
        layers.Flatten(name="flat"),
        layers.Dense(10, name="head"),
    ]
    return tf_keras.Sequential([tf_keras.Input((8, 8, 1)), *stack])


def freeze(model: Any) -> None:
    for name in ("conv", "norm"):
        model.get_layer(name).trainable = False


def train_head(model: Any) -> None:
    """As it was done before Keras had a flag: the optimizer is given the head alone, the model is in training mode."""
    head, optimizer = model.get_layer("head").trainable_variables, tf_keras.optimizers.SGD(0.1)
    for start in range(0, 128, 32):
        with tf.GradientTape() as tape:
            loss = LOSS(TARGETS[start : start + 32], model(IMAGES[start : start + 32], training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, head), head, strict=True))


def test_moving_statistics_move_in_layers_frozen_in_the_old_style_and_nothing_else_does(tmp_path: Path) -> None:
    model = with_norm()
    model.save(tmp_path / "before.h5")
    train_head(model)
    freeze(model)
    model.save(tmp_path / "after.h5")
    found = refconv.diff(tmp_path / "before.h5", tmp_path / "after.h5", expect_frozen=["conv", "norm"])
    assert changed(found) == {"norm/moving_mean", "norm/moving_variance", "head/kernel", "head/bias"}
    assert {w.label for w in found.violations} == {"norm/moving_mean", "norm/moving_variance"} and found.failed
    for weight in found.violations:
        assert [(c.kind, c.certain) for c in weight.causes] == [(MOVING, True), (LEAKED, False)]
    assert found["head/kernel"].causes == ()
    told = " ".join(text(found).split())
    assert "possible, no file records it: in a frozen layer they move where the flag was set after the training" in told
    assert "FAIL changed: norm/moving_mean, norm/moving_variance (expected to be frozen: conv, norm)" in told


def test_todays_frozen_layers_keep_their_statistics(tmp_path: Path) -> None:
    model = with_norm()
    model.save(tmp_path / "before.h5")
    freeze(model)
    model.compile("sgd", LOSS)
    model.fit(IMAGES[:128], TARGETS[:128], verbose=0)
    model.save(tmp_path / "after.h5")
    found = refconv.diff(tmp_path / "before.h5", tmp_path / "after.h5", expect_frozen=["conv", "norm"])
    assert changed(found) == {"head/kernel", "head/bias"}
    assert not found.failed and not found.is_same
    assert "PASS  nothing changed (expected to be frozen: conv, norm)" in text(found)


def test_a_flag_set_after_compile_is_a_possible_cause(tmp_path: Path) -> None:
    """Keras 2 goes on with the function that it made for the first fit."""
    model = with_norm()
    model.compile("sgd", LOSS)
    model.fit(IMAGES[:64], TARGETS[:64], verbose=0)
    freeze(model)
    model.save(tmp_path / "before.h5")
    model.fit(IMAGES[:64], TARGETS[:64], verbose=0)
    model.save(tmp_path / "after.h5")
    causes = refconv.diff(tmp_path / "before.h5", tmp_path / "after.h5")["conv/kernel"].causes
    assert causes[0].kind == FLAG and not any(cause.certain for cause in causes)
    assert "after compile()" in causes[0].text


def test_a_model_made_anew_is_named(tmp_path: Path) -> None:
    """It was to be fine-tuned, and its weights had been drawn again: each is as its initialiser leaves it."""
    model = with_norm()
    model.compile("adam", LOSS)
    model.fit(IMAGES, TARGETS, epochs=2, verbose=0)
    model.save(tmp_path / "trained.h5")
    tf_keras.models.clone_model(model).save(tmp_path / "anew.h5")
    found = refconv.diff(tmp_path / "trained.h5", tmp_path / "anew.h5")
    for label in ("conv/kernel", "conv/bias", "head/kernel", "norm/gamma", "norm/moving_mean", "norm/moving_variance"):
        assert [cause.kind for cause in found[label].causes] == [FRESH], label
    assert "glorotuniform" in found["head/kernel"].causes[0].text
    model.fit(IMAGES, TARGETS, verbose=0)
    model.save(tmp_path / "further.h5")
    further = refconv.diff(tmp_path / "trained.h5", tmp_path / "further.h5")
    assert {cause.kind for weight in further.weights for cause in weight.causes} == {MOVING}


def mnist(count: int) -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(model_path("data/mnist_5k.csv.gz"), "rt") as file:
        rows = np.array([row for _, row in zip(range(count), csv.reader(file), strict=False)], np.float32)
    return rows[:, :-1] / 255, rows[:, -1]


@needs_models
@pytest.mark.parametrize("library", [tf_keras, keras], ids=["keras2", "keras3"])
def test_the_border_of_mnist_never_reaches_the_first_kernel(library: Any, tmp_path: Path) -> None:
    x, y = mnist(5000)  # ten digits one after the other: all are wanted
    x, y = x[::8], y[::8]
    layers = library.layers
    model = library.Sequential([library.Input((784,)), layers.Dense(32, "relu", name="first"), layers.Dropout(0.1)])
    model.add(layers.Dense(10, name="second"))
    model.compile("adam", library.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=10, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    found = refconv.diff(tmp_path / "run.h5@start", tmp_path / "run.h5@9")
    kernel = found["first/kernel"]
    assert kernel.dead is not None and kernel.change is not None
    assert kernel.dead.dead == tuple(np.flatnonzero(~x.any(axis=0)).tolist())  # just these, and all of these
    assert kernel.dead.dead[:28] == tuple(range(28))  # the upper border
    assert kernel.change.changed <= (784 - len(kernel.dead.dead)) * 32
    assert changed(found) == {"first/kernel", "first/bias", "second/kernel", "second/bias"}
    assert found["second/kernel"].dead is None
    told = " ".join(text(found).split())
    assert f"first/kernel: no weight of {len(kernel.dead.dead)} of 784 inputs changed in any bit (0–" in told
    assert refconv.diff(tmp_path / "run.h5@4", tmp_path / "run.h5@4").is_same


def test_a_recording_knows_when_a_layer_was_trained(tmp_path: Path) -> None:
    """It is frozen at the end, and the files of the two ends would not say why it changed."""
    model = with_norm()
    for trained in (True, False):
        model.get_layer("conv").trainable = trained
        model.compile("sgd", LOSS)
        model.fit(IMAGES[:64], TARGETS[:64], verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    found = refconv.diff(tmp_path / "run.h5@start", tmp_path / "run.h5@1")
    (cause,) = found["conv/kernel"].causes
    assert (cause.kind, cause.certain, cause.text) == (WAS_TRAINED, True, "it was trainable at start")
    frozen = refconv.diff(tmp_path / "run.h5@0", tmp_path / "run.h5@1")
    assert frozen["conv/kernel"].is_same and not frozen["head/kernel"].is_same


@pytest.mark.slow  # two checks of VGG16, each in a process of its own: half a minute
def test_vgg16_fine_tuned_with_its_base_frozen_and_not(tmp_path: Path) -> None:
    layers, loss = keras.layers, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    keras.utils.set_random_seed(0)
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(48, 48, 3))
    model = keras.Sequential(
        [keras.Input((48, 48, 3)), base, layers.Flatten(name="flat"), layers.Dense(10, name="head")]
    )
    model.save(tmp_path / "start.keras")
    x = np.repeat(IMAGES[:32].repeat(6, axis=1).repeat(6, axis=2), 3, axis=3)
    for name, trained in (("frozen", False), ("unfrozen", True)):
        base.trainable = trained
        model.compile(keras.optimizers.Adam(1e-4), loss)
        model.fit(x, TARGETS[:32], batch_size=16, verbose=0)
        model.save(tmp_path / f"{name}.keras")
    frozen = refconv.diff(tmp_path / "start.keras", tmp_path / "frozen.keras", expect_frozen=["vgg16/*"])
    assert changed(frozen) == {"head/kernel", "head/bias"} and not frozen.failed
    unfrozen = refconv.diff(tmp_path / "frozen.keras", tmp_path / "unfrozen.keras", expect_frozen=["vgg16/*"])
    assert {w.label for w in unfrozen.weights} == changed(unfrozen) and unfrozen.failed
    for name in ("frozen", "unfrozen"):
        assert refconv.check(tmp_path / f"{name}.keras", options=refconv.Options(samples=1)).verdict == "pass"
