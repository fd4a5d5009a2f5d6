"""Every public layer of the installed Keras versions has a reference or a reason, and what is told of it is true."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest
from support.live import PACKAGES

from refconv.cli import main
from refconv.errors import BadInput
from refconv.formats.wrappers import WRAPPERS
from refconv.inventory import coverage as module
from refconv.inventory.coverage import GROUPS, coverage, has_reference
from refconv.ops.identity import AUGMENTING
from refconv.ops.table import FAMILIES, TABLE
from refconv.ops.uncovered import UNCOVERED
from refconv.report.coverage import BEGIN, END, in_text, listing, table

ROOT = Path(__file__).resolve().parents[2]


def public(major: int) -> set[str]:
    """The classes by the names that files hold: AvgPool2D is AveragePooling2D."""
    layers = vars(import_module(PACKAGES[major]).layers)
    found = {name: c.__name__ for name, c in layers.items() if inspect.isclass(c) and not name.startswith("_")}
    return {own if own in found else name for name, own in found.items()}


def wrong(classes: set[str], dialect: str, uncovered: Mapping[str, str]) -> dict[str, str]:
    """Classes that stand on neither side, or on both."""
    found = {}
    for name in sorted(classes):
        known = has_reference(name, dialect)
        if known and name in uncovered:
            found[name] = "has a reference, and is listed as having none"
        elif not known and not uncovered.get(name):
            found[name] = "has no reference, and no reason why"
    return found


@pytest.mark.parametrize("major", PACKAGES)
def test_every_public_layer_is_covered_or_listed_with_a_reason(major: int) -> None:
    classes = public(major)
    assert len(classes) > 100
    assert not wrong(classes, f"keras{major}", UNCOVERED)


def test_every_class_listed_as_uncovered_exists() -> None:
    assert set(UNCOVERED) <= public(2) | public(3)


def test_a_class_on_neither_side_or_on_both_is_found() -> None:
    assert wrong({"Snowman"}, "keras3", UNCOVERED) == {"Snowman": "has no reference, and no reason why"}
    assert list(wrong({"Dense"}, "keras2", {"Dense": "no reference yet"})) == ["Dense"]
    assert list(wrong({"Snowman"}, "keras2", {"Snowman": ""})) == ["Snowman"]


def test_what_a_dialect_turns_into_a_row_is_covered() -> None:
    """Keras 2's ThresholdedReLU is a ReLU; Keras 3 has no such class."""
    assert has_reference("ThresholdedReLU", "keras2")
    assert not has_reference("ThresholdedReLU", "keras3")


def test_the_table_is_the_op_table() -> None:
    found = {c.layer: c for c in coverage().covered}
    assert set(found) == set(TABLE) | set(WRAPPERS)
    assert all(c.source for c in found.values())
    assert {name for name, c in found.items() if c.judged == "exact"} == {n for n, row in TABLE.items() if row.exact}
    assert found["LSTM"].judged == "step by step" and found["Dense"].judged == "bounded"
    assert found["Dense"].attributes == ("units", "activation", "use_bias")


def test_groups_name_families_that_exist() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) <= {family.__name__.rpartition(".")[2] for family in FAMILIES}


def test_a_filter() -> None:
    found = coverage("pooling2d")
    assert {c.layer for c in found.covered} >= {"MaxPooling2D", "GlobalAveragePooling2D", "QAveragePooling2D"}
    assert all("Pooling2D" in name for name in (*[c.layer for c in found.covered], *found.uncovered))
    assert [c.layer for c in coverage("dense*").covered] == ["Dense"]
    assert dict(coverage("Lambda").uncovered) == {"Lambda": UNCOVERED["Lambda"]}
    with pytest.raises(BadInput, match="snowman"):
        coverage("snowman")


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "layers.json"
    with pytest.raises(SystemExit) as ended:
        main(["layers", "Max*", "--json", str(file)])
    assert not ended.value.code
    text, document = capsys.readouterr().out, json.loads(file.read_text())
    assert text == listing(coverage("Max*"))
    assert "MaxPooling2D  exact   keras.layers.MaxPooling2D  pool_size, strides, padding, data_format" in text
    assert "MaxNumBoundingBoxes" in text and "MaxNumBoundingBoxes" in document["without_reference"]
    entry = next(entry for entry in document["layers"] if entry["layer"] == "MaxPooling2D")
    assert entry["judged"] == "exact" and entry["group"] == "pooling" and "padding" in entry["attributes"]


def test_the_command_says_what_does_not_match(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["layers", "snowman"])
    assert ended.value.code == 2
    assert "no layer of Keras matches 'snowman'" in capsys.readouterr().err


def test_the_readme_has_the_table() -> None:
    """Else run scripts/readme_layers.py."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert in_text(readme, table(coverage())) == readme


def test_another_table_in_the_readme_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    monkeypatch.setattr(module, "FAMILIES", FAMILIES[1:])
    assert in_text(readme, table(coverage())) != readme
    for broken in ("", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"):
        with pytest.raises(ValueError, match="not there once"):
            in_text(broken, "")


def test_the_table_names_every_layer_once() -> None:
    """Dimensions of a layer side by side, and augmentation counted."""
    cells = [cell for line in table(coverage()).splitlines()[2:] for cell in line.split("|")[2:4]]
    names = [name for cell in cells for shown in cell.strip().split(", ") if shown for name in whole(shown)]
    counted = next(int(name.split("(")[1].split()[0]) for name in names if name.startswith("Random…"))
    random = [name for name in AUGMENTING if name.startswith("Random")]
    assert counted == len(random) > 10
    named = [name for name in names if not name.startswith("Random…")]
    assert sorted(named) == sorted({*TABLE, *WRAPPERS} - set(random))


def whole(shown: str) -> list[str]:
    """SpatialDropout1D/2D/3D → its three names."""
    parts = re.split(r"((?:[1-3]D/)+[1-3]D)", shown)
    return [shown] if len(parts) == 1 else [f"{parts[0]}{dimension}{parts[2]}" for dimension in parts[1].split("/")]


def test_names_side_by_side() -> None:
    assert whole("Conv1D/3DTranspose") == ["Conv1DTranspose", "Conv3DTranspose"]
    assert "ConvLSTM1D/2D/3D" in table(coverage("ConvLSTM")) and "RandomCrop" in table(coverage("RandomC*"))
