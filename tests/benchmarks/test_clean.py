"""Clean runs: a traced function that is run again records the same, and an alarm is one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("keras")

from detection import clean  # noqa: E402
from detection.clean import ENVIRONMENTS, MODES, Run, plan, run_model  # noqa: E402
from detection.lines import read  # noqa: E402
from detection.models import SAMPLES, Model, named  # noqa: E402
from support.live import capture_live  # noqa: E402

from refconv.pipeline import Options, draw_inputs  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Model:
    return named([SAMPLES / "digits.keras"])[0]


@pytest.mark.parametrize("mode", MODES)
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
    monkeypatch.setattr(clean, "_limit_threads", lambda threads: None)  # fixed in this process
    options = SimpleNamespace(seeds=1, quick=True, samples=1)
    for _ in range(2):
        clean.run_all([model], ENVIRONMENTS[1], tmp_path, options)
    (row,) = read(tmp_path / "clean-onednn1-threads2.jsonl")
    assert (row["onednn"], row["threads"], row["model"]) == (True, 2, "samples/digits.keras")


def test_environments_are_the_four() -> None:
    assert len({e.name for e in ENVIRONMENTS}) == 4
    assert {e.variables["TF_ENABLE_ONEDNN_OPTS"] for e in ENVIRONMENTS} == {"0", "1"}
    assert {e.variables["TF_NUM_INTRAOP_THREADS"] for e in ENVIRONMENTS} == {"1", "2"}
