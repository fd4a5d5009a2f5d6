"""Traces between environments that are really others: one without any framework, and one with an older Python and
TensorFlow, in which nothing of refconv is installed. Both are made by the tests, from the package index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.models import model_path, needs_models
from test_traces import without_times

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "refconv" / "samples"
FRAMEWORKS = ("tensorflow", "keras", "tf-keras", "qkeras", "pyparsing")  # the last is there for qkeras alone
OLD = (
    "tensorflow==2.8.4",
    "protobuf<3.20",
)  # the oldest that the worker is for; its own metadata allows newer protobuf
OLD_PYTHONS = ("3.8", "3.9", "3.10")
MODELS = ("digits.h5", "digits.keras", "digits_qkeras.h5")


def run(*command: str | Path, folder: Path, expected: int = 0) -> subprocess.CompletedProcess[str]:
    """Without what this process adds to paths, as from a shell in `folder`."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "TF_USE_LEGACY_KERAS", "KERAS_BACKEND")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=900, check=False, cwd=folder, env=env
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done


def environment(python: str, folder: Path, *packages: str) -> Path:
    """The interpreter of a new environment that has these packages, and what they need."""
    run(python, "-m", "venv", folder / "venv", folder=folder)
    interpreter = folder / "venv" / "bin" / "python"
    run(interpreter, "-m", "pip", "install", "--quiet", *packages, folder=folder)
    return interpreter


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """refconv, and no framework."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [need for need in project["dependencies"] if not need.startswith(FRAMEWORKS)]
    folder = tmp_path_factory.mktemp("bare")
    python = environment(sys.executable, folder, "--constraint", str(ROOT / "constraints.txt"), *wanted)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", ROOT, folder=folder)
    run(python, "-c", "import tensorflow", folder=folder, expected=1)
    return python


def refconv(python: str | Path) -> Path:
    """The program of an environment."""
    return Path(python).parent / "refconv"


def report(python: str | Path, model: Path, *options: str | Path, folder: Path) -> Any:
    """Of a check that passes, without the times."""
    file = folder / "report.json"
    run(refconv(python), "check", model, *options, "--json", file, folder=folder)
    return without_times(file.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_same_report_without_tensorflow(bare: Path, name: str, tmp_path: Path) -> None:
    model, trace = SAMPLES / name, tmp_path / "run.trace.h5"
    at_once = report(sys.executable, model, "--thorough", "--device", "cpu", folder=tmp_path)
    how = ("--thorough", "--device", "cpu")
    run(refconv(sys.executable), "capture", model, "-o", trace, *how, folder=tmp_path)
    assert report(bare, model, "--trace", trace, folder=tmp_path) == at_once


def old_python() -> str:
    """An interpreter that the older TensorFlow has a wheel for; "" where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in OLD_PYTHONS:
        found = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
        for python in filter(None, found):
            said = subprocess.run([python, "-c", "import ensurepip, sys; print(*sys.version_info[:2], sep='.')"],
                                  capture_output=True, text=True, check=False)  # fmt: skip
            if said.stdout.strip() == version:
                return python
    return ""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TensorFlow 2.8, and nothing of refconv."""
    if not (python := old_python()):
        pytest.skip("there is no Python 3.8 to 3.10 here, for which TensorFlow 2.8 has wheels")
    folder = tmp_path_factory.mktemp("old")
    interpreter = environment(python, folder, *OLD)
    run(interpreter, "-c", "import refconv", folder=folder, expected=1)
    return interpreter


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("name", ["float/sudoku_digits.h5", "float/mlperf_tiny_resnet.h5"])
def test_the_worker_alone_under_an_older_tensorflow(old: Path, name: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    run(refconv(sys.executable), "worker", "-o", empty / "refconv-worker.pyz", folder=ROOT)
    shutil.copy(model_path(name), empty / "model.h5")
    run(old, "refconv-worker.pyz", "capture", "model.h5", "run.trace.h5", folder=empty)
    found = report(sys.executable, model_path(name), "--trace", empty / "run.trace.h5", folder=tmp_path)
    assert found["verdict"] == "pass" and found["environment"]["tensorflow"] == "2.8.4"
    assert found["counts"]["verified"] == found["counts"]["layers"]


@pytest.mark.slow
def test_a_keras_that_is_not_there(old: Path, tmp_path: Path) -> None:
    run(refconv(sys.executable), "worker", folder=tmp_path)
    command = (old, "refconv-worker.pyz", "capture", SAMPLES / "digits.keras", "run.trace.h5")
    done = run(*command, folder=tmp_path, expected=3)
    assert done.stderr == "refconv-worker: Keras 3 cannot be imported: the package keras is version 2.8.0\n"
    assert not (tmp_path / "run.trace.h5").exists()


@pytest.mark.slow
@needs_models
def test_a_check_in_an_older_environment(old: Path, tmp_path: Path) -> None:
    found = report(sys.executable, model_path("float/sudoku_digits.h5"), "--python", old, folder=tmp_path)
    assert found["verdict"] == "pass" and found["environment"]["python"].startswith(OLD_PYTHONS)
    file = tmp_path / "env.json"
    run(refconv(sys.executable), "env", "--python", old, "--json", file, folder=tmp_path)
    told = json.loads(file.read_text())
    assert told["Keras 2"]["environment"]["tensorflow"] == "2.8.4" and not told["Keras 3"]["usable"]
