"""refconv.keras.WeightRecorder beside both Keras versions' own weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from support.saved import MAKERS

import refconv
from refconv.errors import BadInput
from refconv.inventory.recording import read
from refconv.keras import WeightRecorder, variables

LIBRARIES = pytest.mark.parametrize("library", [tf_keras, keras], ids=["keras2", "keras3"])
X, Y = np.random.default_rng(0).normal(size=(2, 48, 4)).astype(np.float32)


def model_of(library: Any) -> Any:
    """A nested model, a layer of several inside, layers without weights."""
    layers = library.layers
    stack = [layers.Dense(3, name="dense"), layers.BatchNormalization(name="norm")]
    inner = library.Sequential([library.Input((4,)), *stack], name="inner")
    rest = [layers.Dropout(0.1), layers.Reshape((3, 1)), layers.SeparableConv1D(2, 2, name="conv"), layers.Flatten()]
    model = library.Sequential([library.Input((4,)), inner, *rest, layers.Dense(4, name="head")])
    model.compile("sgd", "mse")
    return model


class Kept:
    """The weights at the end of each epoch, as the framework's own callback sees them."""

    def __init__(self, library: Any) -> None:
        self.weights: list[list[np.ndarray]] = []
        self.callback = library.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: self.weights.append([v.numpy() for _, _, v in variables(self.model)])
        )
        self.model: Any = None


@LIBRARIES
def test_every_weight_at_every_epoch(library: Any, tmp_path: Path) -> None:
    model, kept = model_of(library), Kept(library)
    kept.model = model
    start = [v.numpy() for _, _, v in variables(model)]
    callbacks = [WeightRecorder(tmp_path / "run.h5"), kept.callback]
    model.fit(X, Y, epochs=3, verbose=0, validation_split=0.25, callbacks=callbacks)
    model.predict(X, verbose=0, callbacks=[])
    run = read(tmp_path / "run.h5")
    assert [time.label for time in run.times] == ["start", "0", "1", "2"]
    assert run.log.framework == f"{library.__name__} {library.__version__}"
    for time, wanted in zip(run.times, [start, *kept.weights], strict=True):
        for weight, values in zip(run.weights, wanted, strict=True):
            np.testing.assert_array_equal(weight.read(time), values)
    assert len(run.weights) == len(model.weights) == 11
    assert {w.layer for w in run.weights} == {"inner/dense", "inner/norm", "conv", "head"}
    flags = {f"{w.layer}/{w.name}": run.trainable(w, run.times[0]) for w in run.weights}
    assert flags["inner/norm/gamma"] and not flags["inner/norm/moving_mean"]


@LIBRARIES
def test_a_time_of_it_is_the_saved_model(library: Any, tmp_path: Path) -> None:
    """Under the same names, whatever the container calls them."""
    model = model_of(library)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    model.save(tmp_path / "model.keras")
    found = refconv.diff(tmp_path / "run.h5@1", tmp_path / "model.keras")
    assert found.is_same and set(found.matched) == {"name"} and len(found.weights) == 11
    earlier = refconv.diff(tmp_path / "run.h5@0", tmp_path / "model.keras")
    assert not any(weight.is_same for weight in earlier.weights)
    refconv.edit(tmp_path / "model.keras", tmp_path / "epoch0.keras", take=[f"{tmp_path / 'run.h5'}@0"])
    assert refconv.diff(tmp_path / "run.h5@0", tmp_path / "epoch0.keras").is_same


@LIBRARIES
def test_every_few_batches_and_going_on(library: Any, tmp_path: Path) -> None:
    model = model_of(library)
    model.fit(X, Y, batch_size=12, epochs=2, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5", every=3)])
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    model.fit(X, Y, initial_epoch=3, epochs=5, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    labels = [time.label for time in read(tmp_path / "run.h5").times]
    assert labels == ["start", "0:3", "0", "1:3", "1", "2", "3", "4"]


@LIBRARIES
def test_one_recorder_serves_several_fits(library: Any, tmp_path: Path) -> None:
    model, recorder = model_of(library), WeightRecorder(tmp_path / "run.h5")
    for _ in range(2):
        model.fit(X, Y, verbose=0, callbacks=[recorder])
    assert [time.label for time in read(tmp_path / "run.h5").times] == ["start", "0", "1"]


@LIBRARIES
def test_an_interrupted_training(library: Any, tmp_path: Path) -> None:
    class Stop(library.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    model, recorder = model_of(library), WeightRecorder(tmp_path / "run.h5")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[recorder, Stop()])
    assert [time.label for time in read(tmp_path / "run.h5").times] == ["start", "0"]
    model.fit(X, Y, verbose=0, callbacks=[recorder])
    assert [time.label for time in read(tmp_path / "run.h5").times] == ["start", "0", "1"]


@LIBRARIES
def test_a_model_built_by_its_first_batch(library: Any, tmp_path: Path) -> None:
    model = library.Sequential([library.layers.Dense(4, name="late")])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    assert len(read(tmp_path / "run.h5").weights) == 2


@LIBRARIES
def test_a_subclassed_model_says_no_architecture(library: Any, tmp_path: Path) -> None:
    class Own(library.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = library.layers.Dense(4, name="dense")

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Own()
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    found = refconv.diff(tmp_path / "run.h5@0", tmp_path / "run.h5@1")
    assert [w.label for w in found.weights] == ["dense/kernel", "dense/bias"] and found.failed


@LIBRARIES
@pytest.mark.parametrize("name", MAKERS)
def test_every_structure(library: Any, name: str, tmp_path: Path) -> None:
    """Each weight of the model once; read back as the file that Keras saves has them."""
    model = MAKERS[name](library)
    recorder = WeightRecorder(tmp_path / "run.h5")
    recorder.set_model(model)
    recorder.on_train_begin()
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0)
    recorder.on_train_end()
    assert len(read(tmp_path / "run.h5").weights) == len({id(v) for v in model.weights})
    model.save(tmp_path / "model.keras")
    found = refconv.diff(tmp_path / "model.keras", tmp_path / "run.h5@0")
    assert found.is_same and len(found.weights) == len({id(v) for v in model.weights})


@LIBRARIES
def test_a_file_of_another_model_stops_the_training(library: Any, tmp_path: Path) -> None:
    model_of(library).fit(X, Y, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    other = library.Sequential([library.Input((4,)), library.layers.Dense(4, name="other")])
    other.compile("sgd", "mse")
    with pytest.raises(BadInput, match="of another model"):
        other.fit(X, Y, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])


def test_no_interval() -> None:
    with pytest.raises(BadInput, match="every 0 batches"):
        WeightRecorder("run.h5", every=0)


def test_a_recording_without_a_time(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=[WeightRecorder(tmp_path / "run.h5")])
    with pytest.raises(BadInput, match="a recording holds many states.*say which: .*run.h5@start"):
        refconv.diff(tmp_path / "run.h5", tmp_path / "run.h5@0")
