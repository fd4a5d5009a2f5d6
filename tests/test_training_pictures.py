"""Pictures of trained models: a perceptron's history over ten epochs, and VGG16's first maps before and after."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refconv.inventory.pictures import Chart, Heat
from refconv.keras import WeightRecorder
from refconv.pipeline.options import Options
from refconv.pipeline.viewing import view
from refconv.report import plots

MODELS = Path(os.environ.get("REFCONV_MODELS") or Path(__file__).resolve().parents[2] / "shared" / "models")
DIGITS = MODELS / "data" / "mnist_5k.csv.gz"

pytestmark = pytest.mark.skipif(not DIGITS.exists(), reason=f"there is no {DIGITS}: REFCONV_MODELS names its folder")


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (count, 784) in 0…1 and labels, every kind of digit alike."""
    with gzip.open(DIGITS, "rt") as file:
        lines = file.readlines()
    rows = np.array([line.split(",") for line in lines[:: len(lines) // count][:count]], dtype=np.float32)
    return rows[:, :-1] / 255, rows[:, -1].astype(int)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A perceptron on digits, recorded over ten epochs; and which pixels were always zero."""
    import keras

    keras.utils.set_random_seed(0)
    x, y = digits(500)
    layers = [keras.layers.Dense(16, "relu", name="first"), keras.layers.Dense(10, "softmax", name="classes")]
    model = keras.Sequential([keras.Input((784,)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    path = tmp_path_factory.mktemp("recorded") / "run.h5"
    model.fit(x, y, epochs=10, verbose=0, callbacks=[WeightRecorder(path)])
    return path, ~x.any(axis=0)


def test_the_history_of_a_perceptron_over_ten_epochs(recorded: tuple[Path, np.ndarray]) -> None:
    first, classes = view(recorded[0])
    assert (first.layer, first.what, classes.layer) == ("first", "history", "classes")
    norm, update, kernel, bias = first.charts
    assert isinstance(norm, Chart) and isinstance(update, Chart)
    assert norm.names == ("start", *map(str, range(10)))
    assert [s.label for s in norm.series] == ["kernel", "bias"]
    assert norm.series[1].y[0] == 0 and np.all(np.diff(norm.series[1].y) > 0)  # a bias begins at zero, and grows
    assert np.isnan(update.series[0].y[0]) and np.all(update.series[0].y[1:] > 0)
    assert isinstance(kernel, Heat) and isinstance(bias, Heat)
    assert np.all(kernel.counts.sum(axis=0) == 784 * 16)  # every element is in some bin at every time
    picture = plots.render(first)
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000


def test_a_layer_of_a_history_is_chosen(recorded: tuple[Path, np.ndarray]) -> None:
    (only,) = view(recorded[0], options=Options(layers=("cl*",)))
    assert only.layer == "classes"


def tuned(keras: Any, base: Any, *, frozen: bool) -> Any:
    """VGG16 without its top, with a new head, fine-tuned for a few steps on digits."""
    keras.utils.set_random_seed(1)
    body = keras.models.clone_model(base)
    body.set_weights(base.get_weights())
    body.trainable = not frozen
    head = keras.layers.Dense(10, "softmax", name="head")(keras.layers.GlobalAveragePooling2D(name="mean")(body.output))
    model = keras.Model(body.input, head)
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    x, y = digits(16)
    model.fit(np.repeat(enlarged(x), 3, axis=-1), y, batch_size=8, epochs=1, verbose=0)
    return model


def enlarged(x: np.ndarray) -> np.ndarray:
    """(n, 784) → (n, 48, 48, 1), a border of zeros around the 28 × 28."""
    return np.pad(x.reshape(-1, 28, 28, 1), ((0, 0), (10, 10), (10, 10), (0, 0)))


def test_first_maps_of_vgg16_fine_tuned_frozen_and_not(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(48, 48, 3))
    files = {name: tmp_path / f"{name}.keras" for name in ("base", "frozen", "unfrozen")}
    base.save(files["base"])
    for name in ("frozen", "unfrozen"):
        tuned(keras, base, frozen=name == "frozen").save(files[name])
    digit = np.repeat(enlarged(digits(1)[0]), 3, axis=-1)
    options = Options(layers=("block1_conv1",), samples=1)

    (before,) = view(files["base"], digit, what=("maps",), options=options)
    (picture,) = view(files["frozen"], digit, what=("maps",), compare=files["unfrozen"], options=options)
    frozen, unfrozen = picture.panels
    assert frozen.tiles.shape == unfrozen.tiles.shape == (64, 48, 48)
    assert np.array_equal(before.panels[0].tiles, frozen.tiles)
    assert not frozen.tiles[:, 0, 0].any()  # black around the digit, and biases of zero
    assert unfrozen.tiles[:, 0, 0].any()
    assert not np.allclose(frozen.tiles, unfrozen.tiles, rtol=0, atol=1e-6)
    assert picture.limits[1] == max(frozen.tiles.max(), unfrozen.tiles.max())  # one scale for both
    assert np.any(frozen.tiles == 0) and frozen.across == 8
    assert plots.render(picture).startswith(b"\x89PNG")
