"""The worker as a program of its own: what it captures is what refconv captures, and what it refuses costs no start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from security.recipes import lambda_at_top_level
from support.crafted import called, dense, functional, sequential, source, write_h5
from support.live import framework
from support.models import model_path, needs_models

import refconv
from refconv.cli import main as refconv_main
from refconv.formats.traced import open_trace
from refconv.frameworks.worker import alone
from refconv.frameworks.worker.trace_file import Writer
from refconv.report.json_report import render

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "refconv" / "samples"
Started = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """refconv-worker.pyz in a folder that holds nothing else."""
    path = tmp_path_factory.mktemp("elsewhere") / "refconv-worker.pyz"
    with pytest.raises(SystemExit) as ended:
        refconv_main(["worker", "-o", str(path)])
    assert ended.value.code in (0, None)
    return path


def run(program: Path, *arguments: str | Path, folder: Path) -> Started:
    """Isolated (-I): neither the folder nor PYTHONPATH brings refconv along."""
    command = [sys.executable, "-I", program, *arguments]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=200, check=False, cwd=folder
    )


# What is captured.


def judged(result: Any) -> list[Any]:
    """What a check says of each layer, but for times."""
    document = json.loads(render(result))

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(item) for name, item in value.items() if name != "seconds"}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return [clean(document["layers"]), clean(document["plain"]), document["verdict"], document["counts"]]


def test_what_it_captures_is_judged_as_a_check_does(program: Path, tmp_path: Path) -> None:
    model, trace = SAMPLES / "digits.keras", tmp_path / "run.trace.h5"
    done = run(program, "capture", model, trace, "--samples", "3", "--seed", "5", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"captured: {trace}, 13 layers, {trace.stat().st_size:,} bytes\n"
    assert os.listdir(tmp_path) == ["run.trace.h5"] and os.listdir(program.parent) == [program.name]
    later, at_once = refconv.check(model, trace=str(trace)), refconv.check(model, samples=3, seed=5)
    assert later.verdict == "pass" and judged(later) == judged(at_once)
    assert later.input["notes"] == [alone.DRAWN] and later.input["samples"] == 3 and later.input["seed"] == 5
    assert later.input["tensors"] == at_once.input["tensors"]


# Within this process: a framework is here already, and stands in for the one that the worker would start.


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which framework was asked for, each time: that of this process is given."""
    asked: list[Any] = []

    def given(major: int, backend: str = "tensorflow") -> Any:
        asked.append((major, backend))
        return framework(major)

    monkeypatch.setattr("refconv.frameworks.worker.loading.import_framework", given)
    return asked


Captured = Callable[..., tuple[int, str]]


@pytest.fixture
def captured(here: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Captured:
    """Run `capture MODEL OUT`: exit code, and what was written to stderr."""

    def capture(model: str | Path, *arguments: str | Path) -> tuple[int, str]:
        code = alone.main(["capture", str(model), str(tmp_path / "out.h5"), "--quiet", *map(str, arguments)])
        written = capsys.readouterr()
        assert written.out == ""
        return code, written.err

    return capture


FAILS = """
import keras

class Fails(keras.layers.Layer):
    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        raise ValueError("no such kernel")
"""


def test_a_layer_that_cannot_run(captured: Captured, tmp_path: Path) -> None:
    """The layers before it are kept, and the report says why there are no more, as a check at once does."""
    (tmp_path / "fails.py").write_text(FAILS)
    own: dict[str, Any] = {}
    exec(FAILS, own)
    layers = [keras.Input((4,)), keras.layers.Dense(3, name="first"), own["Fails"](name="fails")]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    code, said = captured(tmp_path / "m.keras")
    assert code == 2 and said == "refconv-worker: Fails is none of Keras's own (--trust-code names its file)\n"
    assert not (tmp_path / "out.h5").exists()
    code, said = captured(tmp_path / "m.keras", "--trust-code", tmp_path / "fails.py")
    assert code == 3
    assert said == f"refconv-worker: {tmp_path / 'm.keras'}: cannot run fails: ValueError: no such kernel\n"
    with open_trace(tmp_path / "out.h5") as trace:
        frames = [header for header, _ in trace.frames]
    assert [header["layer"] for header in frames if header["kind"] == "call"] == ["first"]
    assert frames[-1]["kind"] == "error" and frames[-1]["layer"] == "fails"
    how = {"trust_code": (str(tmp_path / "fails.py"),), "trace": str(tmp_path / "out.h5")}
    found = refconv.check(tmp_path / "m.keras", **how)
    assert [layer.name for layer in found.layers if layer.verdict in ("exact", "within")] == ["first"]
    assert any("cannot run layer fails: ValueError: no such kernel" in note for note in found.notes)


def test_a_file_that_does_not_define_what_is_trusted(captured: Captured, tmp_path: Path) -> None:
    raw = {"module": "mine", "registered_name": "Mine", **dense("mine", units=4), "class_name": "Mine"}
    model = write_h5(tmp_path / "m.h5", sequential(source(), raw, dense()), version="3.5.0")
    (tmp_path / "other.py").write_text("x = 1\n")
    code, said = captured(model, "--trust-code", tmp_path / "other.py")
    assert (code, said) == (3, f"refconv-worker: {model}: no trusted file defines Mine\n")
    assert not (tmp_path / "out.h5").exists()


WHOLE = """
import keras

@keras.saving.register_keras_serializable("mine")
class Whole(keras.Model):
    def __init__(self, **rest):
        super().__init__(**rest)
        self.first = keras.layers.Dense(3, name="first")

    def call(self, x):
        return self.first(x)
"""


def test_a_subclassed_model(captured: Captured, tmp_path: Path) -> None:
    """What is given for its one input becomes float32, as refconv has it; nothing can be drawn for it."""
    (tmp_path / "whole.py").write_text(WHOLE)
    own: dict[str, Any] = {"__name__": "whole"}
    exec(WHOLE, own)
    model = own["Whole"](name="whole")
    model(np.zeros((1, 4), np.float32))
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.arange(8).reshape(2, 4) / 8)
    trusted = ("--trust-code", tmp_path / "whole.py")
    assert captured(tmp_path / "m.keras", *trusted, "--input", tmp_path / "x.npy") == (0, "")
    how = {"trust_code": (str(tmp_path / "whole.py"),), "trace": str(tmp_path / "out.h5")}
    found = refconv.check(tmp_path / "m.keras", **how)
    assert [layer.name for layer in found.layers] == ["whole"] and found.verdict != "fail"
    code, said = captured(tmp_path / "m.keras", *trusted)
    undrawn = "the model does not declare its inputs, so that none are drawn: give them with --input"
    assert (code, said) == (2, f"refconv-worker: {undrawn}\n")


def two(folder: Path) -> Path:
    """A model of two inputs, of which the second in the file's order is the first of the model's."""
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b", dtype="int32")
    keras.Model([b, a], [keras.layers.Dense(2)(a), keras.layers.Embedding(9, 2)(b)]).save(folder / "m.keras")
    return folder / "m.keras"


def test_given_inputs_by_their_names(captured: Captured, tmp_path: Path) -> None:
    model = two(tmp_path)
    np.save(tmp_path / "a=1.npy", np.float64([[0.1, 2]]))  # a name that is read as it stands
    np.save(tmp_path / "b.npy", np.int64([[1, 2, 8]]))
    a, b = tmp_path / "a=1.npy", tmp_path / "b.npy"
    assert captured(model, "--input", f"a={a}", "--input", f"b={b}") == (0, "")
    with open_trace(tmp_path / "out.h5") as trace:
        assert [x.tolist() for x in trace.inputs] == [[[1, 2, 8]], np.float32([[0.1, 2]]).tolist()]
        assert [x.dtype for x in trace.inputs] == [np.int32, np.float32]
        told = trace.about.input
    assert [(t["name"], t["source"]) for t in told["tensors"]] == [("b", str(b)), ("a", str(a))]
    assert told["notes"] == [alone.GIVEN] and told["seed"] is None
    assert refconv.check(model, trace=str(tmp_path / "out.h5")).verdict == "pass"
    assert captured(model, "--input", b, "--input", a) == (0, "")


def test_what_the_model_cannot_take(captured: Captured, tmp_path: Path) -> None:
    model = two(tmp_path)
    files = {"a": np.zeros((1, 2)), "wide": np.zeros((1, 3)), "huge": np.full((1, 2), 1e300), "b": np.zeros((1, 3)),
             "half": np.full((1, 3), 0.5), "far": np.full((1, 3), 1 << 40)}  # fmt: skip
    for name, x in files.items():
        np.save(tmp_path / f"{name}.npy", x)
    for b, a, what in (
        ("b", "wide", "a takes the shape (?, 2), and the file's is (1, 3)"),
        ("half", "a", "b takes int32, which cannot hold 0.5 of the file"),
        ("far", "a", "b takes int32, which cannot hold 1099511627776 of the file"),
        ("b", "huge", "a takes float32, which cannot hold 1e+300 of the file"),
    ):
        given = [part for name in (b, a) for part in ("--input", tmp_path / f"{name}.npy")]
        assert captured(model, *given) == (2, f"refconv-worker: --input: {what}\n")
        assert not list(tmp_path.glob("*out.h5*"))


def test_a_shape_is_told_too(captured: Captured, tmp_path: Path) -> None:
    x = keras.Input((None, None, 1), name="x")
    keras.Model(x, keras.layers.Conv2D(2, 3)(x)).save(tmp_path / "m.keras")
    assert captured(tmp_path / "m.keras", "--shape", "5,6") == (0, "")
    with open_trace(tmp_path / "out.h5") as trace:
        assert trace.inputs[0].shape == (2, 5, 6, 1) and trace.about.shapes == {"": (5, 6)}
    assert refconv.check(tmp_path / "m.keras", trace=str(tmp_path / "out.h5")).verdict == "pass"
    code, said = captured(tmp_path / "m.keras", "--shape", "5")
    assert (code, said) == (2, "refconv-worker: --shape: 5 does not fit input 'x', which takes ?,?,1\n")


def test_weights_beside_their_architecture(captured: Captured, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3)])
    model.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(model.to_json())
    assert captured(tmp_path / "m.weights.h5", "--architecture", tmp_path / "m.json") == (0, "")
    how = {"architecture": str(tmp_path / "m.json"), "trace": str(tmp_path / "out.h5")}
    assert refconv.check(tmp_path / "m.weights.h5", **how).verdict == "pass"


def test_interrupted(captured: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a pass: neither the file nor the one that it grows in is left, and an older one is."""
    (tmp_path / "out.h5").write_bytes(b"older")
    took = Writer.take

    def take(self: Writer, header: dict[str, Any], array: np.ndarray | None = None) -> None:
        if header["kind"] == "call":
            raise KeyboardInterrupt
        took(self, header, array)

    monkeypatch.setattr(Writer, "take", take)
    assert captured(SAMPLES / "digits.keras") == (130, "refconv-worker: interrupted\n")
    assert os.listdir(tmp_path) == ["out.h5"] and (tmp_path / "out.h5").read_bytes() == b"older"


# What is refused before a framework starts.


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The line that `capture MODEL OUT …` ends with, which starts nothing and leaves nothing."""
    monkeypatch.setattr("refconv.frameworks.worker.loading.import_framework", None)  # which cannot be called
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    def refuse(model: str | Path, *arguments: str | Path, out: str | Path = tmp_path / "out.h5") -> str:
        before = sorted(tmp_path.rglob("*"))
        assert alone.main(["capture", str(model), str(out), *map(str, arguments)]) == 2
        written = capsys.readouterr()
        assert sorted(tmp_path.rglob("*")) == before
        assert written.out == "" and written.err.startswith("refconv-worker: ") and written.err.count("\n") == 1
        return written.err[len("refconv-worker: ") :].strip()

    return refuse


MODEL = SAMPLES / "digits.keras"
Refuse = Callable[..., str]


def test_a_model_that_is_none(refused: Refuse, tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no model\n")
    (tmp_path / "empty.h5").write_bytes(b"")
    assert refused(tmp_path / "gone.h5") == f"{tmp_path}/gone.h5: there is no such file"
    assert refused(tmp_path) == f"{tmp_path}: this is a folder, not a file"
    for name in ("text.h5", "empty.h5"):
        assert refused(tmp_path / name) == f"{tmp_path}/{name}: this is no .h5, .hdf5 or .keras file"


def test_a_model_that_is_damaged(refused: Refuse, tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes((SAMPLES / "digits.h5").read_bytes()[:5000])
    (tmp_path / "m.keras").write_bytes(MODEL.read_bytes()[:5000])
    for name in ("m.h5", "m.keras"):
        assert refused(tmp_path / name).startswith(f"{tmp_path}/{name}: cannot be read: ")


def test_weights_alone(refused: Refuse, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
    assert "(for weights alone, --architecture FILE.json is needed)" in refused(tmp_path / "w.h5")
    assert refused(tmp_path / "w.h5", "--architecture", tmp_path / "a.json").endswith("a.json: there is no such file")
    (tmp_path / "a.json").write_text("{")
    assert refused(tmp_path / "w.h5", "--architecture", tmp_path / "a.json").endswith("its configuration is no JSON")


@needs_models
def test_a_file_of_keras_1(refused: Refuse) -> None:
    assert refused(model_path("legacy/carnd_keras1.h5")).endswith(
        "written by Keras 1.2.1, which no framework reads any more"
    )


def test_code_in_the_file(refused: Refuse, tmp_path: Path) -> None:
    path = lambda_at_top_level(tmp_path)
    assert refused(path) == f"{path}: Lambda holds code or names a file, which is not run"
    (tmp_path / "own.py").write_text("x = 1\n")
    assert refused(path, "--trust-code", tmp_path / "own.py").endswith("which is not run")
    assert refused(MODEL, "--trust-code", tmp_path / "gone.py") == f"{tmp_path}/gone.py: there is no such file"


def test_another_sha256(refused: Refuse) -> None:
    assert "its SHA-256 is " in (said := refused(MODEL, "--sha256", "ab")) and said.endswith("and ab was demanded")


@pytest.mark.parametrize("arguments", [("--backend", "jax", "--keras", "2"), ("--backend", "torch", "--keras", "2")])
def test_keras_2_on_another_backend(arguments: tuple[str, ...], refused: Refuse) -> None:
    assert refused(MODEL, *arguments) == f"--backend {arguments[1]}: Keras 2 runs on TensorFlow alone"


def test_qkeras_on_another_backend(refused: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SAMPLES / "digits_qkeras.h5"
    assert refused(model, "--backend", "jax") == "--backend jax: QKeras runs on TensorFlow alone"
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    assert refused(model) == "KERAS_BACKEND: Keras runs on tensorflow, jax, torch here, not on openvino"


@pytest.mark.parametrize(("option", "text"), [
    ("--range", "many"), ("--range", "x="), ("--range", "1.5"), ("--range", "0"), ("--range", "-3"), ("--shape", "a,b"),
    ("--shape", "4,,4"), ("--shape", "0,4"), ("--shape", "image="), ("--shape", "4x4"),
])  # fmt: skip
def test_texts_that_are_no_numbers(option: str, text: str, refused: Refuse) -> None:
    assert refused(MODEL, f"{option}={text}") == f"{option}: {text!r} is none"


def test_what_is_said_twice(refused: Refuse) -> None:
    assert refused(MODEL, "--range", "3", "--range", "4") == "--range: said twice of every input"
    assert refused(MODEL, "--shape", "x=3", "--shape", "x=3") == "--shape: said twice of x"


def test_inputs_that_cannot_be_read(refused: Refuse, tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("1 2 3\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "start.npy").write_bytes(b"\x93NUMPY\1\0\x76\0{'descr'")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name in ("text.npy", "empty.npy", "start.npy", "objects.npy"):
        assert refused(MODEL, "--input", tmp_path / name).startswith(f"{tmp_path}/{name}: cannot be read: ")
    np.save(tmp_path / "number.npy", np.float32(1))
    np.save(tmp_path / "nothing.npy", np.zeros((0, 8, 8, 1)))
    np.savez(tmp_path / "several.npz", a=np.zeros(3))
    for name in ("number.npy", "nothing.npy", "several.npz"):
        assert refused(MODEL, "--input", tmp_path / name) == f"{tmp_path}/{name}: this is no .npy file with samples"
    assert refused(MODEL, "--input", tmp_path / "gone.npy") == f"{tmp_path}/gone.npy: there is no such file"


@pytest.fixture
def arrays(tmp_path: Path) -> list[str]:
    for name, samples in (("one", 1), ("two", 2), ("other", 2)):
        np.save(tmp_path / f"{name}.npy", np.zeros((samples, 4), np.float32))
    return [str(tmp_path / f"{name}.npy") for name in ("one", "two", "other")]


def test_inputs_that_do_not_fit_the_model(refused: Refuse, arrays: list[str], tmp_path: Path) -> None:
    one, two, other = arrays
    layers = [called(source("p")), called(source("q")), called(dense(), [["p", 0, 0, {}]])]
    config = functional(layers, [["q", 0, 0], ["p", 0, 0]], [["dense", 0, 0]])
    model = write_h5(tmp_path / "m.h5", config)
    assert refused(model, "--input", two) == "--input: given are 1, and the model has 2: q, p"
    three = [part for path in (two, other, two) for part in ("--input", path)]
    assert refused(model, *three) == "--input: given are 3, and the model has 2: q, p"
    lengths = refused(model, "--input", one, "--input", two)
    assert lengths == "--input: the files hold different numbers of samples"
    names = "--input: the inputs are called q, p"
    assert refused(model, "--input", f"q={two}", "--input", f"r={other}") == names
    mixed = "--input: NAME=FILE.npy once for every input, or FILE.npy for every one"
    assert refused(model, "--input", f"q={two}", "--input", other) == mixed
    assert refused(model, "--input", f"q={two}", "--input", f"q={other}") == mixed


def test_places_that_no_trace_can_take(refused: Refuse, tmp_path: Path) -> None:
    """The model above all."""
    model = tmp_path / "m.keras"
    model.write_bytes(MODEL.read_bytes())
    (tmp_path / "link.h5").symlink_to(model)
    assert refused(model, out=model) == f"{model}: the trace would take the place of {model}"
    assert refused(model, out=tmp_path / "link.h5").endswith(f"the trace would take the place of {model}")
    assert refused(model, out=tmp_path) == f"{tmp_path}: this is a folder, not a file"
    out = tmp_path / "gone" / "t.h5"
    assert refused(model, out=out) == f"{out}: there is no folder {tmp_path / 'gone'}"


@pytest.mark.parametrize("arguments", [
    ("--samples", "0"), ("--samples", "x"), ("--seed", "-1"), ("--repeat", "0"), ("--slice", "1.5"), ("--mode", "fast"),
    ("--backend", "theano"), ("--what",),
])  # fmt: skip
def test_options_that_are_none(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        alone.main(["capture", str(MODEL), str(tmp_path / "out.h5"), *arguments])
    assert ended.value.code == 2 and not list(tmp_path.iterdir())
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("refconv-worker.pyz") and "_least" not in last and ".read" not in last


def test_its_help_and_version(program: Path, tmp_path: Path) -> None:
    done = run(program, "--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"refconv worker {refconv.__version__}\n")
    for arguments in (("--help",), ("capture", "--help")):
        done = run(program, *arguments, folder=tmp_path)
        assert done.returncode == 0 and "python refconv-worker.pyz capture model.h5 run.trace.h5" in done.stdout
        assert done.stderr == ""
    done = run(program, folder=tmp_path)
    assert done.returncode == 2 and "the following arguments are required: capture" in done.stderr


def test_the_same_refusal_by_the_program_itself(program: Path, tmp_path: Path) -> None:
    """Started as people start it; a framework that would be imported is one that takes a minute."""
    (tmp_path / "tensorflow.py").write_text("import time\ntime.sleep(60)\n")
    started = time.monotonic()
    command = [sys.executable, str(program), "capture", str(MODEL), "out.h5", "--sha256", "ab"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path, env=env)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
    assert time.monotonic() - started < 30 and os.listdir(tmp_path) == ["tensorflow.py"]


def test_it_carries_what_a_python_3_8_reads(program: Path) -> None:
    import ast

    with zipfile.ZipFile(program) as archive:
        for name in archive.namelist():
            ast.parse(archive.read(name).decode(), feature_version=(3, 8))


# Killed in the middle.


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("moment", ["worker", "temporary", "whole"])
def test_a_capture_that_is_killed(moment: str, tmp_path: Path) -> None:
    """There is a whole trace or none, and the worker and its folder go with the program."""
    out, folders = tmp_path / "out.h5", tmp_path / "tmp"
    folders.mkdir()
    reached = {
        "worker": lambda: any(folders.glob("refconv-*/stderr.txt")),
        "temporary": lambda: any(tmp_path.glob(".out.h5.*.tmp")),
        "whole": out.exists,
    }[moment]
    arguments = ["capture", str(SAMPLES / "digits.h5"), "-o", str(out), "--no-progress", "--quiet"]
    command = [sys.executable, "-c", "from refconv.cli import main; import sys; main(sys.argv[1:])", *arguments]
    env = {**os.environ, "TMPDIR": str(folders), "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    process = subprocess.Popen(command, env=env, cwd=tmp_path)
    try:
        wait(lambda: reached() or process.poll() is not None)
        time.sleep(0.1 if moment == "worker" else 0)  # until there is one
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if out.exists():
        with open_trace(out) as trace:
            assert [header["kind"] for header, _ in trace.frames][-1] == "done"
    assert out.exists() == (moment == "whole")
    wait(lambda: not any(folders.iterdir()), seconds=20)


def wait(until: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.002)
