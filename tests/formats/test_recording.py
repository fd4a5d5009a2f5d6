"""The file of a recording: what is written is read, also after the writer was killed, and hostile ones are refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from refconv.errors import BadInput, UnreadableModel
from refconv.formats.recording import END, START, Key, Writer, is_recording, read_log
from refconv.inventory.recording import read

KEYS = [
    Key("conv", "kernel", (3, 3, 2, 4), "float32"),
    Key("norm", "count", (), "int64"),
    Key("empty", "none", (0, 3), "float16"),
    Key("wide", "kernel", (300, 400), "float64"),
]


def values(number: int) -> list[np.ndarray]:
    rng = np.random.default_rng(number + 1)
    small, wide = rng.normal(size=(3, 3, 2, 4)).astype("f4"), rng.normal(size=(300, 400))
    return [small, np.array(number), np.zeros((0, 3), "f2"), wide]


def opened(path: Path, keys: list[Key] = KEYS) -> Writer:
    return Writer(path, keys, model="m", framework="keras 3.15.1", architecture="")


def recorded(path: Path, epochs: range) -> Path:
    writer = opened(path)
    for epoch in epochs:
        writer.append(epoch, END, values(epoch), [True, False, True, epoch > 1])
    writer.close()
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.h5", range(START, 4))
    run = read(path)
    assert [time.label for time in run.times] == ["start", "0", "1", "2", "3"] and run.epochs == run.times
    assert (run.log.model, run.log.framework) == ("m", "keras 3.15.1")
    assert [Key(w.layer, w.name, w.shape, w.dtype) for w in run.weights] == KEYS
    for time in run.times:
        for weight, wanted in zip(run.weights, values(time.epoch), strict=True):
            np.testing.assert_array_equal(weight.read(time), wanted)
            np.testing.assert_array_equal(np.concatenate([*weight.at(time).slabs(), []]), wanted.reshape(-1))
    assert [run.trainable(run.weights[3], time) for time in run.times] == [False, False, False, True, True]
    for values_then, time in zip(run.weights[1].history(run.times[1:3]), run.times[1:3], strict=True):
        assert values_then == time.epoch
    with h5py.File(path) as file:
        assert file["weights/0/values"].compression == "gzip" and file["weights/0/values"].chunks is not None


def test_labels(tmp_path: Path) -> None:
    writer = opened(tmp_path / "run.h5")
    for epoch, batch in ((START, END), (0, 100), (0, 200), (0, END), (1, 100)):
        writer.append(epoch, batch, values(epoch), [True] * 4)
    writer.close()
    run = read(tmp_path / "run.h5")
    assert [run.at(text).index for text in ("start", "0:100", "0:0200", "00", "last")] == [0, 1, 2, 3, 4]
    assert [time.label for time in run.epochs] == ["start", "0"]
    for text in ("1", "7", "0:300", "", "end"):
        with pytest.raises(BadInput, match="it holds start, 0:100"):
            run.at(text)


def test_it_goes_on(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.h5", range(START, 2))
    recorded(path, range(2, 4))
    log = read_log(path)
    assert [time.epoch for time in log.times] == [-1, 0, 1, 2, 3]
    np.testing.assert_array_equal(log.weights[0].read(log.times[1]), values(0)[0])


def test_another_model_or_file_is_left_alone(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.h5", range(2))
    with pytest.raises(BadInput, match="of another model: wide/kernel of shape .* there, wide/bias of shape"):
        opened(path, [*KEYS[:3], Key("wide", "bias", (400,), "float32")])
    with pytest.raises(BadInput, match="4 weights there, 3 here"):
        opened(path, KEYS[:3])
    assert len(read_log(path).times) == 2
    (tmp_path / "model.h5").write_bytes(b"something else")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    for name in ("model.h5", "other.h5"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(BadInput, match="is no recording, and is left alone"):
            opened(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from formats.test_recording import opened, values
writer, epoch = opened(Path({path!r})), -1
while True:
    writer.append(epoch, -1, values(epoch), [True] * 4)
    epoch += 1
    if epoch == 3:
        print("three", flush=True)
"""


def test_a_killed_run_leaves_what_was_whole_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    code = KILLED.format(tests=str(Path(__file__).parents[1]), path=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "three\n"
        os.kill(writer.pid, signal.SIGKILL)
    with pytest.raises(OSError, match="already open for write"):  # as HDF5 says of such a file
        h5py.File(path, "r+", libver="latest")
    log = read_log(path)
    count = len(log.times)
    assert count >= 4
    for time in log.times:
        np.testing.assert_array_equal(log.weights[3].read(time), values(time.epoch)[3])
    recorded(path, range(count - 1, count + 1))
    log = read_log(path)
    assert [time.epoch for time in log.times] == list(range(-1, count + 1))
    for time in log.times:
        np.testing.assert_array_equal(log.weights[0].read(time), values(time.epoch)[0])
    assert [p.name for p in tmp_path.iterdir()] == ["run.h5"]


def test_a_state_that_was_not_finished_is_not_shown(tmp_path: Path) -> None:
    """All weights but the last number of the state were written."""
    path = recorded(tmp_path / "run.h5", range(2))
    with h5py.File(path, "r+", libver="latest") as file:
        for name in ("batch", "trainable", *(f"weights/{n}/values" for n in range(4))):
            file[name].resize(3, axis=0)
    assert len(read_log(path).times) == 2
    recorded(path, range(2, 3))
    log = read_log(path)
    np.testing.assert_array_equal(log.weights[0].read(log.times[2]), values(2)[0])


def test_it_is_read_while_it_is_written(tmp_path: Path) -> None:
    writer = opened(tmp_path / "run.h5")
    for epoch in range(3):
        writer.append(epoch, END, values(epoch), [True] * 4)
        assert len(read_log(tmp_path / "run.h5").times) == epoch + 1
    writer.close()


def test_what_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="no such file"):
        read(tmp_path / "none.h5")
    (tmp_path / "text").write_text("no HDF5 at all, whatever it is called")
    with h5py.File(tmp_path / "later.h5", "w") as file:
        file.attrs["refconv_recording"] = 2
    with h5py.File(tmp_path / "plain.h5", "w"):
        pass
    with pytest.raises(UnreadableModel, match="no HDF5"):
        read(tmp_path / "text")
    with pytest.raises(UnreadableModel, match="version 2; 1 is read"):
        read(tmp_path / "later.h5")
    with pytest.raises(UnreadableModel, match="no recording"):
        read(tmp_path / "plain.h5")
    assert not is_recording(tmp_path / "text") and is_recording(tmp_path / "later.h5")


def test_a_recording_that_lacks_values(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.h5", range(3))
    with h5py.File(path, "r+", libver="latest") as file:
        file["weights/3/values"].resize(1, axis=0)
    log = read_log(path)
    with pytest.raises(UnreadableModel, match="damaged"):
        log.weights[3].read(log.times[2])


def test_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no folder"):
        opened(tmp_path / "none" / "run.h5")


def test_values_in_another_file_are_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.h5", range(1))
    secret = recorded(tmp_path / "secret.h5", range(1))
    with h5py.File(path, "r+", libver="latest") as file:
        del file["weights/0/values"]
        file["weights/0/values"] = h5py.ExternalLink(str(secret), "weights/0/values")
    with pytest.raises(UnreadableModel, match="only hard links"):
        read_log(path)
