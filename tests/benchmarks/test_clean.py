"""Clean runs: a traced function that is run again records the same, and an alarm is one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf_keras = pytest.importorskip("tf_keras")

from detection import clean  # noqa: E402
from detection.clean import ENVIRONMENTS, MODES, Run, plan, run_model  # noqa: E402
from detection.lines import read  # noqa: E402
from detection.models import SAMPLES, Model, named  # noqa: E402
from support.live import capture_live  # noqa: E402

from refconv.pipeline import Options, draw_inputs  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Model:
    return named([SAMPLES / "digits.keras"])[0]


@pytest.mark.parametrize("mode", [pytest.param(m, marks=pytest.mark.slow) if m == "xla" else m for m in MODES])
def test_seeds_that_share_a_traced_function_are_recorded_as_alone(mode: str, model: Model) -> None:
    kept: dict = {}
    for seed in (0, 1):
        arrays = draw_inputs(model.graph, None, Options(seed=seed))
        again, failure = clean.record(model, arrays, mode, kept)
        alone = capture_live(model.live, arrays, keras=3, mode=mode)
        assert failure == ""
        assert again.calls == alone.calls or mode == "eager"  # which measures seconds
        assert [again.tensors[key].tobytes() for key in again.tensors] == [t.tobytes() for t in alone.tensors.values()]
        assert np.array_equal(again.plain[0], alone.plain[0])


def test_a_clean_run_has_no_alarm_and_a_changed_model_has_one(model: Model) -> None:
    runs = [Run(model.label, "graph", seed) for seed in (0, 1)]
    for row in run_model(model, runs, samples=2):
        assert (row["alarms"], row["plain_ok"], row["counts"]["verified"]) == ([], True, 13)
    kernel = model.live.get_layer("conv_strided").kernel
    before = kernel.numpy()
    kernel.assign(before * 1.001)
    try:
        (row,) = run_model(model, runs[:1], samples=2)
    finally:
        kernel.assign(before)
    assert [(alarm["layer"], alarm["verdict"]) for alarm in row["alarms"]] == [("conv_strided", "mismatch")]


def test_the_full_plan_has_every_mode_and_seed_and_the_quick_one_every_model() -> None:
    models = ["a", "b", "c", "d"]
    assert len(set(plan(models, 20, ENVIRONMENTS[0], False))) == 4 * 3 * 20
    quick = [plan(models, 20, environment, True) for environment in ENVIRONMENTS]
    assert all({run.model for run in runs} == set(models) for runs in quick)
    assert {run.mode for runs in quick for run in runs if run.model == "a"} == set(MODES)


def test_what_is_done_is_not_run_again(model: Model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(clean, "limit_threads", lambda threads: None)  # fixed in this process
    options = SimpleNamespace(seeds=1, quick=True, samples=1)
    for _ in range(2):
        clean.run_all([model], ENVIRONMENTS[1], tmp_path, options)
    (row,) = read(tmp_path / "clean-onednn1-threads2.jsonl")
    assert (row["onednn"], row["threads"], row["model"]) == (True, 2, "samples/digits.keras")


def test_environments_are_the_four() -> None:
    assert len({e.name for e in ENVIRONMENTS}) == 4
    assert {e.variables["TF_ENABLE_ONEDNN_OPTS"] for e in ENVIRONMENTS} == {"0", "1"}
    assert {e.variables["TF_NUM_INTRAOP_THREADS"] for e in ENVIRONMENTS} == {"1", "2"}


def test_kernels_written_on_theano_are_turned_as_the_file_means_them(tmp_path: Path) -> None:
    """Loaded as it is, such a model computes something else: a finding. Here it is right, so that alarms are false."""
    path = tmp_path / "theano.h5"
    built = tf_keras.Sequential([tf_keras.Input((6, 6, 2)), tf_keras.layers.Conv2D(3, 3, name="conv")])
    built.save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["backend"] = "theano"
    (model,) = named([path])
    (right,) = run_model(model, [Run(model.label, "eager", 0)], samples=1)
    model.live.set_weights(built.get_weights())
    (wrong,) = run_model(model, [Run(model.label, "eager", 0)], samples=1)
    assert right["alarms"] == []
    assert [alarm["verdict"] for alarm in wrong["alarms"]] == ["mismatch"]


class Refusing(keras.layers.Layer):
    """Refuses infinity, not when it is traced but when it runs."""

    def call(self, x):
        import tensorflow as tf

        return tf.debugging.check_numerics(x, "seen at run time")


def test_where_a_layer_cannot_run_the_layers_before_it_are_still_recorded() -> None:
    """Graph mode: the function that failed when it ran is not run again, one that stops before the layer is traced."""
    x = keras.Input((3,))
    live = keras.Model(x, Refusing(name="refusing")(keras.layers.ReLU(name="before")(x)))
    model, kept = SimpleNamespace(graph=SimpleNamespace(keras=3), live=live), {}
    for value, failing in ((1.0, False), (np.inf, True), (1.0, False)):
        trace, failure = clean.record(model, [np.full((1, 3), value, np.float32)], "graph", kept)
        told = [call.layer for call in trace.calls], failure.partition(":")[0]
        assert told == ((["before"], "refusing") if failing else (["before", "refusing"], ""))
