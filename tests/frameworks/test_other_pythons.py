"""`--python PATH`, where PATH is no Python, or one that lacks what the worker needs: one line, and exit code 3."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import refconv
from refconv import frameworks
from refconv.errors import FrameworkError
from refconv.frameworks.bundle import START
from refconv.trace import read_frames

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "refconv" / "samples" / "digits.h5"


def program(folder: Path, text: str, name: str = "python", mode: int = stat.S_IRWXU) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def missing(folder: Path) -> Path:
    return folder / "python"


def folder(folder: Path) -> Path:
    return folder


def not_executable(folder: Path) -> Path:
    return program(folder, "#!/bin/sh\nexit 0\n", mode=stat.S_IRUSR)


def no_program(folder: Path) -> Path:
    return program(folder, "\1\2\3")


def prints_nonsense(folder: Path) -> Path:
    return program(folder, "#!/bin/sh\necho 'Welcome! This is no Python at all.'\n")


def says_nothing(folder: Path) -> Path:
    return program(folder, "#!/bin/sh\nexit 0\n")


def prints_json(folder: Path) -> Path:
    """The length of a frame, and then no frame."""
    return program(folder, "#!/bin/sh\nprintf '\\005\\000\\000\\000\\000\\000\\000\\000nonsense'\n")


def prints_as_it_starts(folder: Path) -> Path:
    """A Python, whose sitecustomize prints: that goes where the frames go."""
    (folder / "sitecustomize.py").write_text("print('Welcome to this computer, and have a nice day.', flush=True)\n")
    text = f"#!/bin/sh\nPYTHONPATH='{folder}' exec '{sys.executable}' \"$@\"\n"
    return program(folder, text)


def bare(folder: Path) -> Path:
    """Without NumPy and h5py."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "bare"], check=True)
    return folder / "bare" / "bin" / "python"


CANNOT_START = "cannot be started: "
OTHERWISE = "answers otherwise than a worker does (is it a Python, and does it print nothing as it starts?)"
CASES = [
    (missing, CANNOT_START + os.strerror(2)),
    (folder, CANNOT_START + os.strerror(13)),
    (not_executable, CANNOT_START + os.strerror(13)),
    (no_program, CANNOT_START + os.strerror(8)),
    (prints_nonsense, OTHERWISE),
    (prints_json, OTHERWISE),
    (prints_as_it_starts, OTHERWISE),
    (says_nothing, "the worker ended unexpectedly with status 0"),
    (bare, "NumPy and h5py are needed: No module named 'numpy'"),
]


@pytest.fixture(params=CASES, ids=[make.__name__ for make, _ in CASES])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Of such a PATH, and the line that tells of it. Temporary folders are made in the test's own."""
    make, said = request.param
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.delenv(name, raising=False)
    path = str(make(tmp_path))
    return path, f"{path}: {said}"


def test_check_and_capture(case: tuple[str, str], tmp_path: Path) -> None:
    path, line = case
    for run in (refconv.check, refconv.capture):
        how = {} if run is refconv.check else {"output": tmp_path / "t.h5"}
        with pytest.raises(FrameworkError) as caught:
            run(MODEL, python=path, **how)
        assert str(caught.value) == line
    assert not (tmp_path / "t.h5").exists() and not any((tmp_path / "tmp").iterdir())


def test_env(case: tuple[str, str], tmp_path: Path) -> None:
    path, line = case
    found = frameworks.probe(python=path)
    assert {entry["reason"] for entry in found.values()} == {line}
    assert not any(entry["usable"] for entry in found.values()) and not any((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("command", ["check", "capture", "env"])
def test_the_program_says_one_line_and_ends_with_3(command: str, tmp_path: Path) -> None:
    path = says_nothing(tmp_path)
    model = [] if command == "env" else [str(MODEL)]
    arguments = [sys.executable, "-c", "from refconv.cli import main; import sys; main(sys.argv[1:])", command]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    done = subprocess.run(
        [*arguments, *model, "--no-progress", "--python", str(path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=tmp_path,
        env=env,
    )
    line = f"{path}: the worker ended unexpectedly with status 0\n"
    assert done.returncode == 3
    if command == "env":
        assert f"Keras 2: not usable: {line}" in done.stdout
    else:
        assert (done.stdout, done.stderr) == ("", "refconv: " + line)
    assert list(tmp_path.iterdir()) == [path]


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a program starts with is read by any Python: nothing newer than 2.7 is in it."""
    monkeypatch.setattr(sys, "version_info", (3, 7, 9))
    with pytest.raises(SystemExit) as caught:
        exec(START, {})
    assert caught.value.code == 3
    version = sys.version.split()[0]
    assert capsys.readouterr().err == f"refconv-worker: Python 3.8 or newer is needed, and this is {version}\n"
    assert 'f"' not in START and "print" not in START and ":=" not in START


@pytest.mark.parametrize(("data", "error"), [
    (b"\1", EOFError), (struct.pack("<Q", 4) + b"{}", EOFError), (struct.pack("<Q", 1 << 40), ValueError),
    (b"Welcome!", ValueError), (struct.pack("<Q", 2) + b"no", ValueError),
])  # fmt: skip
def test_what_is_no_frame(data: bytes, error: type[Exception]) -> None:
    """Nor is as much memory asked for as its first bytes say."""
    with pytest.raises(error):
        list(read_frames(io.BytesIO(data)))
