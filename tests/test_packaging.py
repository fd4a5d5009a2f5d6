"""The pins, the wheel, and the sample models that it carries."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

import refconv

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "refconv" / "samples"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.+!]*)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    matches = [PIN.fullmatch(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    return {normal(match[1]): match[2] for match in matches if match}


def declared(*, without: str = "") -> list[Requirement]:
    extras = {name: texts for name, texts in PROJECT["optional-dependencies"].items() if name != without}
    texts = PROJECT["dependencies"] + [text for extra in extras.values() for text in extra]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != "refconv"]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_pinned_inside_its_range(requirement: Requirement) -> None:
    assert requirement.specifier, "a range without a lower end promises too much"
    assert requirement.specifier.contains(pins()[normal(requirement.name)])


def test_what_is_installed_is_what_is_pinned() -> None:
    """Else the suite would speak of other versions than those that scripts/check installs, which leaves out `bench`."""
    found = {normal(d.metadata["Name"]): d.version for d in metadata.distributions()}
    wanted = pins()
    names = {normal(requirement.name) for requirement in declared(without="bench")}
    assert {name: found.get(name) for name in names} == {name: wanted[name] for name in names}


def test_installed_version_is_the_package_s_own() -> None:
    assert metadata.version("refconv") == refconv.__version__


def test_samples_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in SAMPLES.iterdir() if path.is_file()}
    assert {"digits.h5", "digits.keras", "digits.npy", "digits_qkeras.h5"} <= set(sizes)
    assert sum(sizes.values()) < 300_000


def test_sample_images_are_digits_for_the_sample_models() -> None:
    images = np.load(SAMPLES / "digits.npy")
    assert images.shape == (4, 8, 8, 1)
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 1


ACCURACIES = """
import json, sys
sys.path.insert(0, "scripts")
import train_samples
_, images, _, labels = train_samples.digits()
import keras, qkeras, tf_keras
models = {
    "digits.keras": keras.models.load_model(train_samples.SAMPLES / "digits.keras", compile=False),
    "digits.h5": tf_keras.models.load_model(train_samples.SAMPLES / "digits.h5", compile=False),
    "digits_qkeras.h5": qkeras.utils.load_qmodel(train_samples.SAMPLES / "digits_qkeras.h5", compile=False),
}
found = {name: float((m.predict(images, verbose=0).argmax(1) == labels).mean()) for name, m in models.items()}
print(json.dumps([found, train_samples.LEAST_ACCURACY]))
"""


def test_samples_are_trained() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ACCURACIES],
        cwd=ROOT,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, least = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == least.keys()
    assert all(found[name] > least[name] for name in found), found


@pytest.mark.slow
def test_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(pip, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"refconv-{refconv.__version__}-py3-none-any.whl"
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("refconv/")}
    paths = (path.relative_to(ROOT) for path in (ROOT / "refconv").rglob("*") if path.is_file())
    assert held == {path.as_posix() for path in paths if "__pycache__" not in path.parts}
