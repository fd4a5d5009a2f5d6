"""Traces as files: what is written is read, and whatever else a file holds is refused in one line."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from support import traces
from support.traces import X, changed, frames, read, write

import refconv
from refconv.errors import UnreadableTrace
from refconv.formats import traced
from refconv.formats.frame_types import FIELDS, Each, Maybe, fits, frame_problem, one_of
from refconv.frameworks.keeping import keeping

ROOT = Path(__file__).resolve().parents[2]
SECRET = b"do-not-show-this"

ARRAYS = [
    np.float32(3.5),
    np.zeros((0, 3), np.int64),
    np.arange(24, dtype=np.float16).reshape(2, 3, 4)[:, ::2],
    np.array([True, False]),
    np.arange(4).astype(ml_dtypes.bfloat16),
    np.array([1.5, -2]).astype(ml_dtypes.float8_e4m3fn),
    np.array([[b"ab", b"cdef"]]),
    np.array(["ä", "bc"]),
    np.array([1 + 2j], np.complex64),
    np.array([np.nan, np.inf, -0.0]),
    np.array([2**63], np.uint64),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return traces.model(tmp_path)


def test_a_right_trace_passes(model: Path, tmp_path: Path) -> None:
    found = refconv.check(model, trace=str(write(tmp_path / "t.h5", model)), engine="numpy")
    assert found.verdict == "pass" and [layer.name for layer in found.layers] == ["dense"]
    assert found.environment["tensorflow"] == "2.21.0" and found.plain is not None and found.plain.ok


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_are_read_as_they_were(array: np.ndarray, model: Path, tmp_path: Path) -> None:
    sent = frames()
    sent[4] = (sent[4][0], array)
    _, inputs, found = read(write(tmp_path / "t.h5", model, sent))
    back = found[4][1]
    assert back is not None and back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == np.asarray(array).tobytes()
    np.testing.assert_array_equal(inputs[0], X)


def test_frames_are_read_as_they_were(model: Path, tmp_path: Path) -> None:
    about, _, found = read(write(tmp_path / "t.h5", model))
    extra = ("dtype", "shape", "crc32")
    assert [{k: v for k, v in h.items() if k not in extra} for h, _ in found] == [h for h, _ in frames()]
    assert (about.keras, about.seeded, about.slice, about.mode) == (2, True, 2, "graph")


def test_an_array_that_nobody_asks_for_is_not_read(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.h5", model)
    with h5py.File(path, "r+") as file:
        file["arrays/7"][0, 0] += 1
    with traced.open_trace(path) as trace:
        kinds = [next(trace.frames)[0]["kind"] for _ in range(5)]
        assert kinds[-1] == "tensor"
        with pytest.raises(UnreadableTrace, match="damaged: the array of line 7 does not have its checksum"):
            next(trace.frames)


# Files that are none.


def refused(path: Path, model: Path, match: str) -> None:
    with pytest.raises(UnreadableTrace, match=match) as caught:
        refconv.check(model, trace=str(path), engine="numpy")
    assert "\n" not in str(caught.value) and SECRET.decode() not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "the file is empty"), (b"PK\x03\x04", "this is no HDF5 file"), (b"\x89HDF\r\n\x1a\n\0\0", "damaged HDF5")],
)
def test_foreign_files(content: bytes, match: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "t.h5").write_bytes(content)
    refused(tmp_path / "t.h5", model, match)


def test_a_model_a_folder_and_nothing(model: Path, tmp_path: Path) -> None:
    refused(model, model, "this HDF5 file is no trace: it holds a model")
    refused(tmp_path, model, "this is a folder")
    refused(tmp_path / "none.h5", model, "there is no such file")


def test_truncated_at_every_place(model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "t.h5", model).read_bytes()
    for size in range(0, len(data), 97):
        (tmp_path / "cut.h5").write_bytes(data[:size])
        refused(
            tmp_path / "cut.h5", model, "empty|no HDF5 file|damaged HDF5|truncated|there is no|not complete|no trace"
        )


def attribute(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (attribute("version", 2), "version 2 of the format; this one reads 1 .it needs a newer refconv"),
        (attribute("version", 0), "version 0 of the format; this one reads 1 .capture it again"),
        (attribute("version", None), r"version \? of the format"),
        (attribute("version", np.nan), r"version \? of the format"),
        (attribute("format", np.bytes_(b"something")), "no trace: it says nothing"),
        (attribute("sha256", None), "it is not complete: the capture did not come to its end"),
        (attribute("sha256", np.bytes_(b"0" * 64)), "damaged: its lines do not have their SHA-256"),
    ],
)
def test_marks(change: Callable[[h5py.File], None], match: str, model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.h5", model)
    with h5py.File(path, "r+") as file:
        change(file)
    refused(path, model, match)


def relined(path: Path, change: Callable[[list[bytes]], Any]) -> None:
    """Change the lines, and what proves them."""
    with h5py.File(path, "r+") as file:
        lines = file["frames"][()].tobytes().splitlines()
        change(lines)
        text = b"\n".join(lines)
        del file["frames"]
        file["frames"] = np.frombuffer(text, np.uint8)
        file.attrs["sha256"] = np.bytes_(hashlib.sha256(text).hexdigest().encode())


def lines_of(number: int, **fields: Any) -> Callable[[list[bytes]], None]:
    def change(lines: list[bytes]) -> None:
        lines[number] = json.dumps({**json.loads(lines[number]), **fields}).encode()

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda lines: lines.clear(), "it holds no frames|declares"),
        (lambda lines: lines.pop(), "its frames have no end"),
        (lambda lines: lines.pop(1), "no inputs of one number of samples"),
        (lambda lines: lines.__setitem__(4, b"{"), "not valid JSON"),
        (lambda lines: lines.__setitem__(4, b"[" * 5000), "JSON"),
        (lambda lines: lines.__setitem__(4, b'{"kind": "call", "kind": "done"}'), "stands twice"),
        (lambda lines: lines.__setitem__(4, b"3"), "line 4 is no frame"),
        (lines_of(6, dtype="O"), "an array of 'O', which no trace holds"),
        (lines_of(6, dtype="(1000,1000)f4"), "an array of .*, which no trace holds"),
        (lines_of(6, dtype="f4,f4"), "an array of .*, which no trace holds"),
        (lines_of(6, dtype=3), "an array of '3', which no trace holds"),
        (lines_of(6, dtype="float64"), "declared larger|holds float32 in place of float64"),
        (lines_of(6, shape=[4, 2]), r"has the shape \(2, 4\), not \(4, 2\)"),
        (lines_of(6, shape=[2**39, 2**39]), "declared larger than the file is"),
        (lines_of(6, shape=[-1, 4]), "no shape of an array"),
        (lines_of(6, shape="no"), "no shape of an array"),
        (lines_of(6, shape=[1] * 40), "no shape of an array"),
        (lines_of(6, crc32=1), "damaged: the array of line 6"),
        (lines_of(0, model={"sha256": "x", "architecture": ""}), "'model' is not what it has to be"),
        (lines_of(0, slice=-1), "'slice' is not what it has to be"),
        (lines_of(0, kind="done"), "does not say what was captured"),
    ],
)
def test_lines(change: Callable[[list[bytes]], Any], match: str, model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.h5", model)
    relined(path, change)
    refused(path, model, match)


# Frames that nothing would have sent.


def dropped(kind: str) -> list[traces.Frame]:
    return [frame for frame in frames() if frame[0]["kind"] != kind]


GPU_OF_NO_NUMBER = {"devices": [{"type": "GPU", "compute_capability": "x"}]}
NO_ARRAY = ({"kind": "tensor", "key": "0:0", "uses": 1}, None)
TWICE = [f for frame in frames() for f in ([frame, frame] if frame[0]["kind"] == "tensor" else [frame])]
SAME_CALL = [f for frame in frames() for f in ([frame, frame] if frame[0]["kind"] == "call" else [frame])]


@pytest.mark.parametrize(
    ("sent", "match"),
    [
        (dropped("done"), "its frames have no end"),
        (dropped("tensor"), "names the tensor '0:0', which is not there|names the tensor '0:1'"),
        (TWICE, "two tensors are called '0:0'"),
        (SAME_CALL, "names the tensor '0:[01]', which is not there"),
        (changed("tensor", lambda h: h.update(uses=None)), "used by no number of calls"),
        (changed("tensor", lambda h: h.update(uses=0)), "which is not there"),
        (changed("tensor", lambda h: h.update(uses="1")), "'uses' is not what"),
        (changed("call", lambda h: h.update(inputs=["9:9"])), "names the tensor '9:9'"),
        (changed("call", lambda h: h.update(weights=[["kernel"]])), "'weights' is not what"),
        (changed("call", lambda h: h.pop("steps")), "'steps' is not what"),
        (changed("call", lambda h: h.update(seconds="1")), "'seconds' is not what"),
        (changed("planned", lambda h: h.update(calls={"other": 1})), "its layers .other ….* are none of the model's"),
        (changed("planned", lambda h: h.update(calls=["dense"])), "'calls' is not what"),
        (changed("environment", lambda h: h.update(environment=[])), "'environment' is not what"),
        (changed("environment", lambda h: h.update(environment={"devices": [{"type": 1}]})), "'environment' is not"),
        (changed("environment", lambda h: h.update(environment=GPU_OF_NO_NUMBER)), "'environment' is not"),
        (changed("done", lambda h: h.update(kind="finished")), "there are no frames 'finished'"),
        (changed("done", lambda h: h.update(kind="error")), "'reason' is not what"),
        (changed("call", lambda h: None, X), "a frame 'call' with an array"),
        ([*frames()[:4], NO_ARRAY, *frames()[5:]], "'tensor' without an array"),
        (
            [*frames()[:9], ({"kind": "probe", "layer": "dense", "shape": [2, 4], "inputs": ["p:x"], "outputs": [],
                              "weights": [], "reason": ""}, None), *frames()[9:]],
            "the probe of 'dense' names the tensor 'p:x'",
        ),
    ],
)  # fmt: skip
def test_frames(sent: list[traces.Frame], match: str, model: Path, tmp_path: Path) -> None:
    refused(write(tmp_path / "t.h5", model, sent), model, match)


@pytest.mark.parametrize(
    ("inputs", "other", "match"),
    [
        ((X.astype(np.float64),), {}, r"its input 'x' is float64 \(2, 4\); the model takes float32 \(\?, 4\)"),
        ((X[:, :3].copy(),), {}, r"its input 'x' is float32 \(2, 3\)"),
        ((X, X), {}, "2 inputs were fed, the model has 1"),
        ((np.float32(1),), {}, "no inputs of one number of samples"),
        ((X[:0],), {}, "no inputs of one number of samples"),
        ((X,), {"keras": 3}, "Keras 3 ran the model, which is a file of Keras 2"),
        ((X,), {"model": {"sha256": "0" * 64, "architecture": ""}}, "SHA-256 0{64}; .*m.h5 has [0-9a-f]{64}"),
        ((X,), {"whole": 3}, "'whole' is not what"),
    ],
)
def test_what_does_not_fit_the_model(
    inputs: Any, other: dict[str, Any], match: str, model: Path, tmp_path: Path
) -> None:
    refused(write(tmp_path / "t.h5", model, inputs=inputs, **other), model, match)


def test_another_architecture(model: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    path = write(tmp_path / "t.h5", model, **{"model": {"sha256": digest, "architecture": "1" * 64}})
    refused(path, model, r"of an architecture with the SHA-256 1{64}, not \(none\) \(--architecture names")


# Storage that a trace has no need of.


def put(path: Path, name: str, store: Callable[[h5py.Group, Any], Any]) -> Path:
    with h5py.File(path, "r+") as file:
        values = file["arrays"][name][()]
        del file["arrays"][name]
        store(file["arrays"], values)
    return path


@pytest.mark.parametrize(
    ("store", "match"),
    [
        (lambda g, v: g.__setitem__("6", h5py.ExternalLink("secret.h5", "/x")), "ExternalLink; only hard links"),
        (lambda g, v: g.__setitem__("6", h5py.SoftLink("/arrays/7")), "SoftLink; only hard links"),
        (lambda g, v: g.create_dataset("6", v.shape, v.dtype, external=[("secret", 0, 32)]), "another file"),
        (lambda g, v: g.create_dataset("6", data=v, chunks=v.shape), "is packed"),
        (lambda g, v: g.create_dataset("6", data=v, compression="gzip"), "is packed"),
        (lambda g, v: g.create_dataset("6", data=v, fletcher32=True), "is packed"),
        (lambda g, v: g.create_dataset("6", data=v.astype(">f4")), "holds >f4 in place of float32"),
        (lambda g, v: g.create_dataset("6", data=[b"x"] * 8, dtype=h5py.string_dtype()), "holds object"),
        (lambda g, v: g.create_dataset("6", v.shape, v.dtype), "declares more than it stores|more than it stores"),
        (lambda g, v: g.create_dataset("6", (2**40,), v.dtype, chunks=(1024,)), "declares|packed"),
        (lambda g, v: g.create_group("6"), "is no dataset"),
        (lambda g, v: None, "there is no '6'"),
    ],
)
def test_storage(store: Callable[[h5py.Group, Any], Any], match: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET * 2)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = X
    refused(put(write(tmp_path / "t.h5", model), "6", store), model, match)


# The types of fields.


def test_types_of_fields() -> None:
    accepted = [(1, int), (1, float), (True, bool), ([1], [int]), (["a", 1], (str, int)), ({"a": 1}, {"a": int}),
                ({"x": 1}, Each(int)), (None, Maybe(int)), ("a", one_of("a", 2)), ({}, {"a": Maybe(int)})]  # fmt: skip
    rejected = [(True, int), (1, bool), (True, float), ("1", int), ([1, "a"], [int]), (["a"], (str, int)),
                ({}, {"a": int}), ({"x": "a"}, Each(int)), ("a", Maybe(int)), ("b", one_of("a")), ([], one_of("a")),
                (1.5, int)]  # fmt: skip
    assert all(fits(value, kind) for value, kind in accepted)
    assert not any(fits(value, kind) for value, kind in rejected)


def test_every_kind_that_is_read_is_known() -> None:
    assert {header["kind"] for header, _ in frames()} | {"trace", "input", "slice", "probe", "error"} == set(FIELDS)
    assert frame_problem({"kind": "slice"}) is None


# Writing.


def test_a_capture_that_fails_leaves_the_old_file(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), keeping(path, traces.about(model), [X]):
        raise ZeroDivisionError
    assert path.read_bytes() == b"old" and sorted(tmp_path.iterdir()) == sorted([path, model])


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from support import traces
from refconv.errors import RefconvError

folder, draw = Path(sys.argv[1]), random.Random(0)
model, target = traces.model(folder), folder / "out.h5"
torn = there = 0
for _ in range(60):
    if not (pid := os.fork()):
        for number in range(10**6):
            traces.write(target, model)
    time.sleep(draw.uniform(0.001, 0.06))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if target.exists():
        there += 1
        try:
            traces.read(target)
        except RefconvError as error:
            torn += 1
print(torn, there > 0)
"""


def test_killed_at_any_moment_there_is_a_whole_file_or_none(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), *filter(None, sys.path)])}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=env)
    assert done.stdout.split() == ["0", "True"]


FULL = """
import resource, sys
from pathlib import Path
from support import traces
from refconv.errors import BadInput

folder = Path(sys.argv[1])
model = traces.model(folder)
traces.write(folder / "out.h5", model)
size = (folder / "out.h5").stat().st_size
(folder / "out.h5").unlink()
for most in (0, 100, 2000, size // 2, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        traces.write(folder / "out.h5", model)
    except BadInput as error:
        print(error)
print(sorted(path.name for path in folder.iterdir()))
"""


def test_a_full_disk_is_a_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    """libhdf5 itself dies of it, at the end of the process at the latest."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), *filter(None, sys.path)])}
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    line = f"{tmp_path}/out.h5: cannot be written: File too large"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [line] * 5 + ["['m.h5']"]


def test_a_capture_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """The program itself, while its worker waits for a framework that does not come."""
    (tmp_path / "stand_in").mkdir()
    told = tmp_path / "told"
    source = f"open({str(told)!r}, 'w').close()\nimport time\ntime.sleep(60)\n"
    (tmp_path / "stand_in" / "tensorflow.py").write_text(source)
    path = os.pathsep.join([str(tmp_path / "stand_in"), str(ROOT), *filter(None, sys.path)])
    output = tmp_path / "run.trace.h5"
    command = ["capture", str(ROOT / "refconv/samples/digits.h5"), "-o", str(output), "--no-progress"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from refconv.cli import main; main()", *command],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    until = time.monotonic() + 60
    while not told.exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1].strip() == "refconv: interrupted"
    assert process.returncode == 130
    assert not [each for each in tmp_path.iterdir() if "trace" in each.name]
