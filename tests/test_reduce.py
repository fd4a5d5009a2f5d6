"""refconv reduce from model to folder: what it saves fails without refconv, until the layer is put right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from support.live import PACKAGES
from support.swapped import RIGHT, WRONG, files, twenty

from refconv.cli import main
from refconv.ops.registered import forget


def run(script: Path) -> subprocess.CompletedProcess[str]:
    """By plain Python from another folder, without this package in reach."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "TF_", "KERAS"))}
    command = [sys.executable, "-c", f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"]
    return subprocess.run(command, env=bare, cwd="/", capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("major", [pytest.param(2, marks=pytest.mark.slow), 3])  # a search of 20 seconds each
def test_a_wrong_convolution_of_twenty_layers_becomes_one_channel_on_three_places(
    major: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, reference = files(tmp_path, PACKAGES[major])
    model = twenty(tmp_path / f"model{'.h5' if major == 2 else '.keras'}", PACKAGES[major], code)
    folder, report = tmp_path / "case", tmp_path / "case.json"
    options = ["--trust-code", str(code), "--reference", str(reference), "--json", str(report), "--no-progress"]
    options += ["--seconds", "600"]
    try:
        with pytest.raises(SystemExit) as ended:
            main(["reduce", str(model), "-o", str(folder), *options])
    finally:
        forget("mine>Swapped")
    assert ended.value.code == 1
    said, found = capsys.readouterr().out, json.loads(report.read_text())
    assert "swapped  mine>Swapped  mismatch" in said and "REDUCED  from" in said, said
    assert found["complete"] and found["scope"] == "layer"
    samples, height, width, channels = found["case"]["inputs"][0]
    assert (samples, channels) == (1, 1) and height <= 3 and width <= 3
    assert set(found["files"]) == {path.name for path in folder.iterdir()}
    assert {"README.md", "expected.npy", "input.npy", "reproduce.py", "swapped_layer.py"} <= set(found["files"])

    wrong = run(folder / "reproduce.py")
    assert wrong.returncode == 1 and "values are wrong" in wrong.stdout, wrong.stderr
    copy = folder / "swapped_layer.py"
    copy.write_text(copy.read_text().replace(WRONG, RIGHT))
    right = run(folder / "reproduce.py")
    assert right.returncode == 0 and "the framework gives what is expected" in right.stdout, right.stderr
    assert "refconv" not in (folder / "reproduce.py").read_text()


@pytest.mark.slow  # JAX is started twice
def test_what_another_backend_computes_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jax")
    layers = keras.layers
    x = keras.Input((7, 7, 2))
    y = layers.Resizing(5, 11, interpolation="bicubic", name="cubic")(layers.Conv2D(3, 3, name="conv")(x))
    keras.Model(x, y).save(tmp_path / "model.keras")
    with pytest.raises(SystemExit) as ended:
        main(["reduce", str(tmp_path / "model.keras"), "--backend", "jax", "-o", str(tmp_path / "case"), "-q"])
    assert ended.value.code == 1, capsys.readouterr().err
    script = tmp_path / "case" / "reproduce.py"
    assert "import jax" in script.read_text() and "tensorflow" not in script.read_text()
    wrong = run(script)
    assert wrong.returncode == 1 and wrong.stdout.startswith("jax "), wrong.stderr
