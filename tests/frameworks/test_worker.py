"""The child process: what it answers, and what becomes of it when it misbehaves, dies, hangs or is left alone."""

import io
import os
import signal
import subprocess
import sys
import threading
import time

import keras as keras3
import numpy as np
import pytest
import tf_keras as keras2
from support.captured import capture
from support.framework import framework, stand_in

from refconv.errors import FrameworkError
from refconv.frameworks import Worker, early, environment, workers
from refconv.frameworks.failure import LayerFailed
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.work import probe
from refconv.trace import read_frames

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 12)


def small_model(keras):
    return keras.Sequential([keras.layers.Input((12,)), keras.layers.Dense(3, name="dense", activation="tanh")])


def test_keras_2_from_a_file_whose_name_misleads(tmp_path, capfd):
    model = small_model(keras2)
    model.save(tmp_path / "model.h5")
    path = (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    capfd.readouterr()
    seen = []
    trace = capture(path, [X], keras=2, device="cpu", progress=lambda what, share: seen.append((what, share)))
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(trace.plain[0], model.predict(X, verbose=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(trace.tensors[trace.model_inputs[0][0]], X)
    assert [(call.layer, call.type) for call in trace.calls] == [("dense", "Dense")]
    assert seen[0] == ("loading the model", 0)
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    found = trace.environment
    assert (found["keras_package"], found["keras"]) == ("tf-keras", keras2.__version__)
    assert (found["mode"], found["device"], found["state_changed"]) == ("graph", "cpu", False)
    assert (found["floatx"], found["dtype_policy"], found["image_data_format"]) == (
        "float32",
        "float32",
        "channels_last",
    )
    assert {"numpy", "h5py", "onednn", "tf32", "cpu", "threads", "devices", "plain_jit", "deterministic_ops"} <= set(
        found
    )


def test_keras_3_in_eager_mode(tmp_path):
    small_model(keras3).save(tmp_path / "model.keras")
    trace = capture(tmp_path / "model.keras", [X], keras=3, mode="eager")
    assert trace.environment["keras"] == keras3.__version__
    assert trace.environment["plain_jit"] is False
    assert trace.calls[0].seconds > 0


@pytest.mark.slow
def test_a_file_that_the_loader_refuses_is_told_in_one_line_with_the_last_lines_as_a_note(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(FrameworkError, match="Keras 3 cannot load this file: ") as caught:
        capture(path, [X], keras=3)
    assert len(str(caught.value).splitlines()) == 1
    assert "Traceback" in caught.value.__notes__[0] or "load_model" in caught.value.__notes__[0]


@pytest.mark.slow
def test_a_layer_that_the_framework_cannot_run_is_named_and_the_calls_before_it_arrive(tmp_path):
    layers = keras2.layers
    flat, table = layers.Flatten(name="flat"), layers.Embedding(4, 2, name="table")
    keras2.Sequential([layers.Input((3,), dtype="int32"), flat, table]).save(tmp_path / "model.h5")
    with pytest.raises(LayerFailed, match="Keras 2 cannot run layer table: InvalidArgumentError: .*9") as caught:
        capture(tmp_path / "model.h5", [np.full((1, 3), 9, np.int32)], keras=2, mode="eager")
    assert caught.value.layer == "table"
    assert [call.layer for call in caught.value.trace.calls] == ["flat"]


def test_the_environment_of_a_framework_that_works():
    stream = io.BytesIO()
    probe(framework(keras3), Channel(stream))
    answer = next(read_frames(io.BytesIO(stream.getvalue())))[0]
    assert answer["usable"]
    assert answer["environment"]["keras"] == keras3.__version__
    assert answer["environment"]["devices"][0]["type"] == "CPU"


MISSING = "raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')"
BROKEN = "print('loading'); raise RuntimeError('libcudart is gone')"
KILLED = "import os, signal; print('noise'); os.kill(os.getpid(), signal.SIGKILL)"
CRASHED = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
EXITS = "import os, sys; print('last words', file=sys.stderr, flush=True); os._exit(7)"
HANGS = "import time\nwhile True: time.sleep(0.1)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (MISSING, r"needs Keras 3: .*No module named 'tensorflow' \(pip install tensorflow\)"),
        (BROKEN, "Keras 3 cannot be imported: RuntimeError: libcudart is gone"),
        (KILLED, "killed by SIGKILL .*memory"),
        (CRASHED, "killed by SIGSEGV"),
        (EXITS, "ended unexpectedly with status 7"),
    ],
)
def test_a_framework_that_fails_to_start(tmp_path, monkeypatch, capfd, source, message):
    stand_in(tmp_path, monkeypatch, source)
    with pytest.raises(FrameworkError, match=message) as caught:
        capture(tmp_path / "model.h5", [X], keras=3)
    assert caught.value.exit_code == 3
    assert capfd.readouterr() == ("", "")
    if source is EXITS:
        assert "last words" in caught.value.__notes__[0]


def test_the_environment_of_a_framework_that_is_missing(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, MISSING)
    answer = environment(2)
    assert not answer["usable"]
    assert "No module named 'tensorflow'" in answer["reason"]


def test_an_interpreter_that_is_missing():
    with pytest.raises(FrameworkError, match="/no/such/python: cannot be started"):
        capture("model.h5", [X], keras=3, python="/no/such/python")


def test_a_worker_that_hangs_is_ended_at_the_time_limit(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, HANGS)
    with Worker(3) as worker:
        with pytest.raises(FrameworkError, match=r"did not finish within 0\.5 s \(.*--timeout"):
            worker.stream(tmp_path / "model.h5", [X], timeout=0.5).all()
        assert gone(worker.pid)


def test_an_early_start_is_taken_over_or_ended(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, HANGS)
    with early(3):
        (started,) = (child.pid for child in workers._EARLY.values())
        with Worker(2) as other, Worker(3) as worker, Worker(3) as second:
            assert worker.pid == started
            assert len({other.pid, worker.pid, second.pid}) == 3
    with early(3):
        (left,) = (child.pid for child in workers._EARLY.values())
        assert alive(left)
    assert gone(left)


def test_a_worker_killed_midway_is_noticed_at_once(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, HANGS)
    with Worker(3) as worker:
        threading.Timer(0.5, os.kill, (worker.pid, signal.SIGKILL)).start()
        with pytest.raises(FrameworkError, match="killed by SIGKILL"):
            worker.stream(tmp_path / "model.h5", [X], timeout=60).all()


def test_nothing_is_left_when_the_parent_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    stand_in(tmp_path, monkeypatch, HANGS)
    with pytest.raises(KeyboardInterrupt), Worker(3) as worker:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        worker.stream(tmp_path / "model.h5", [X]).all()
    assert gone(worker.pid)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_worker_ends_with_a_parent_that_was_killed(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, HANGS)
    start = (
        "from refconv.frameworks import Worker; import time; w = Worker(3); print(w.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, env=with_refconv(tmp_path)) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid, within=1)
        parent.kill()
    assert gone(pid)


def with_refconv(scratch):
    """The environment of a child that imports refconv as this process does, beside the stand-in."""
    path = os.pathsep.join([os.environ["PYTHONPATH"], *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)}


def gone(pid, within=10.0):
    """Whether the process ends within that many seconds; a zombie that nobody waits for has ended."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("name", "value"), [("keras", 1), ("mode", "fast")])
def test_what_no_worker_can_do_is_refused_at_once(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*{value}"):
        capture("model.h5", [X], **{"keras": 3, "mode": "graph", name: value})
