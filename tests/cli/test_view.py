"""refconv view as a user meets it: files, a page, a list, and names that never leave the folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv.cli import main
from refconv.inventory.pictures import Picture, maps, tiled
from refconv.pipeline import viewing
from refconv.pipeline.options import Options
from refconv.pipeline.viewing import view
from refconv.report.files import file_name

SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
KERAS, H5, QKERAS = (str(SAMPLES / name) for name in ("digits.keras", "digits.h5", "digits_qkeras.h5"))
DIGIT = str(SAMPLES / "digits.npy")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["view", *arguments, "--no-progress"])
    return int(ended.value.code or 0)


def test_a_file_each_and_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    listed = tmp_path / "list.json"
    assert run(KERAS, "--layer", "conv", "--input", DIGIT, "--output", str(folder), "--json", str(listed)) == 0
    names = ["001_conv_output.png", "002_conv_kernel.png"]
    assert sorted(path.name for path in folder.iterdir()) == names  # and no temporary file
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in names]
    found = json.loads(listed.read_text())
    assert [(f["layer"], f["what"]) for f in found["files"]] == [("conv", "maps"), ("conv", "kernels")]
    assert all(Path(f["path"]).read_bytes().startswith(b"\x89PNG") for f in found["files"])


def test_one_page_of_two_models(tmp_path: Path) -> None:
    page = tmp_path / "both.html"
    arguments = ["--compare", H5, "--layer", "c*", "--what", "kernels", "--format", "svg", "--output", str(page)]
    assert run(KERAS, *arguments) == 0
    text = page.read_text()
    assert text.count("data:image/svg+xml;base64,") == 2 * 3  # kernels of conv, conv_strided and classes, twice each
    assert "digits.keras" in text and "digits.h5" in text


def test_needs_no_framework() -> None:
    code = (
        "import sys\nfrom refconv.pipeline.options import Options\nfrom refconv.pipeline.viewing import view\n"
        "from refconv.report import plots\nconv = Options(layers=('conv',))\n"
        f"for p in view({KERAS!r}, what=('maps', 'kernels', 'histogram'), options=conv): plots.render(p)\n"
        "print({'tensorflow', 'keras', 'tf_keras', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"


def test_the_error_of_a_check(tmp_path: Path) -> None:
    (picture,) = view(KERAS, what=("error",), options=Options(layers=("conv",), samples=1))
    (panel,) = picture.panels
    assert picture.shares and panel.tiles.shape == (1, 8, 8)
    assert panel.mark is not None and panel.tiles[0][panel.mark] == panel.tiles.max() > 0
    assert panel.note.startswith("within; worst at [0,") and panel.axes == ("axis 1", "axis 2")


def test_maps_are_the_reference_s() -> None:
    import refconv

    digit = np.load(DIGIT)[:1]
    (picture,) = view(KERAS, digit, what=("maps",), options=Options(layers=("conv_relu",)))
    expected = refconv.run(refconv.load(KERAS), digit)["conv_relu"].mid[0]
    assert np.array_equal(picture.panels[0].tiles, np.moveaxis(expected.astype(np.float32), -1, 0))
    assert picture.limits[0] == 0


def test_kernels_stored_and_effective_and_levels() -> None:
    kernel, histogram = view(QKERAS, what=("kernels", "histogram"), options=Options(layers=("conv",)))
    assert [panel.label for panel in kernel.panels] == ["stored", "effective"]
    assert len(np.unique(kernel.panels[1].tiles)) == 17 < len(np.unique(kernel.panels[0].tiles))
    levels = {chart.label: len(chart.levels) for chart in histogram.charts}  # type: ignore[union-attr]
    assert levels == {"kernel": 17, "bias": 15, "output": 0}


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (["a/m.h5", "b/n.h5"], ["m.h5", "n.h5"]),
        (["runs/a/x/m.h5", "runs/b/x/m.h5"], ["a/x/m.h5", "b/x/m.h5"]),
        (["m.h5", "m.h5"], ["m.h5 (1)", "m.h5 (2)"]),
    ],
)
def test_two_models_are_told_apart(files: list[str], labels: list[str]) -> None:
    assert viewing._labels(files) == labels


def test_a_page_that_fails_leaves_nothing(tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    assert run(KERAS, "--layer", "absent", "--output", str(page)) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.h5", "--output", "{tmp}/x"], "absent.h5"),
        ([KERAS, "--output", "{tmp}/no/folder"], "create it first"),
        ([KERAS, "--output", "{tmp}/file.txt"], "is not a folder"),
        ([KERAS, "--output", "{tmp}/x", "--what", "history"], "WeightRecorder"),
        ([KERAS, "--output", "{tmp}/x", "--layer", "max_pool", "--what", "kernels"], "have no kernels"),
        ([KERAS], "--output"),
    ],
)
def test_usage(arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file.txt").write_text("mine")
    assert run(*(text.format(tmp=tmp_path) for text in arguments)) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "..", ".hidden", "a\x00b", "CON", "x" * 400, "层", "a\nb"])
def test_names_stay_in_the_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(*_: Any, **__: Any) -> list[Picture]:
        return [tiled(name, "maps", f"{name}, output", [maps(name, np.ones((2, 2, 1)))])]

    monkeypatch.setattr(viewing, "view", hostile)
    outer = tmp_path / "outer"
    (outer / "inner").mkdir(parents=True)
    assert run("model.h5", "--output", str(outer / "inner" / "pictures")) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 1 and written[0].parent == outer / "inner" / "pictures"


@given(st.text(), st.integers(1, 5000))
def test_a_file_name_is_one(words: str, number: int) -> None:
    name = file_name(number, words, "png")
    assert name == Path(name).name and name.endswith(".png") and name[0].isdigit() and len(name) < 100
    assert name.isascii() and name.count(".") == 1
