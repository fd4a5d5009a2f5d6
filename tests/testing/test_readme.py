"""The README's property tests, run as they stand there: on a right layer, and on one with a planted fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
SECTION = re.search(
    r"## Property tests for your own layers\n(.*?)\n## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
)
KERNELS = """
from refconv.testing.strategies import ConvolutionCase
from support.planted_layers import convolve

def conv2d(x, kernel, bias, strides, padding, dilation, groups):
    call = dict(x=x, kernel=kernel, bias=bias, strides=strides, padding=padding, dilation=dilation, groups=groups)
    return convolve(ConvolutionCase(**call), {fault!r})
"""
LAYERS = """
import keras

class MyConv2D(keras.layers.Conv2D):
    def call(self, x):
        y = super().call(x)
        return keras.ops.flip(y, 1) if {fault!r} and self.padding == "same" else y
"""


def block(of: str) -> str:
    """The section's block of code that has this in it."""
    assert SECTION is not None
    blocks = re.findall(r"(?:^(?:    .*)?\n)+", SECTION[1], re.MULTILINE)
    (found,) = [text for text in blocks if of in text and "import" in text]
    return dedent(found).strip() + "\n"


def pytest_says(folder: Path, test: str, module: str, source: str) -> tuple[int, str]:
    (folder / "test_it.py").write_text(test)
    (folder / module).write_text(source)
    paths = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "tests")])
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    environment = {**os.environ, **quiet, "PYTHONPATH": paths}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["", "other side"])
def test_a_kernel_of_ones_own(tmp_path: Path, fault: str) -> None:
    test = block("conv2d_cases")
    assert len([line for line in test.splitlines() if line]) <= 10
    code, said = pytest_says(tmp_path, test, "my_kernels.py", KERNELS.format(fault=fault))
    if not fault:
        assert code == 0, said
        return
    assert code == 1, said
    assert "RC201  SAME padding on the other side" in said
    (left,) = set(re.findall(r"case=ConvolutionCase\(.*\)", said))
    assert SECTION is not None and left in SECTION[1]  # spatial size 1, one channel: as the README shows it


@pytest.mark.slow  # a hundred models, each made twice, saved, run and checked; then as many until one layer is left
@pytest.mark.parametrize("fault", ["", "upside down"])
def test_a_layer_of_ones_own_in_any_model(tmp_path: Path, fault: str) -> None:
    code, said = pytest_says(tmp_path, block("models("), "my_layers.py", LAYERS.format(fault=fault))
    assert code == (1 if fault else 0), said
    if fault:
        example = said.rpartition("case=ModelCase")[2]
        assert re.findall(r"\by\d+ = (\w+)\(", example.partition("Model([")[0]) == ["Conv2D"], said
