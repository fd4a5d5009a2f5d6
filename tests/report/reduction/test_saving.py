"""The folder of a case: complete or absent, and whatever names a model has, a script that compiles."""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refconv.errors import BadInput
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec, Weight
from refconv.ops.dense import Dense
from refconv.pipeline.reducing import Reduced, Saved
from refconv.report.reduction import issue, script, terminal
from refconv.report.reduction.saving import check_folder, save
from refconv.result import CheckResult, Finding, LayerResult, ModelInfo, Verdict

FILES = {"case.keras", "input.npy", "expected.npy", "allowed.npy", "reproduce.py", "README.md"}
HOSTILE = 'a"""\nimport os; os.system("x") #`<b>\\'
ENVIRONMENT = {"tensorflow": "2.21.0", "keras": "3.15.1", "keras_package": "keras", "numpy": "2.4.6",
               "onednn": {"enabled": True}, "devices": [{"type": "CPU"}], "mode": "graph"}  # fmt: skip


def reduced(name: str = "dense", title: str = "bias missing", **case: Any) -> Reduced:
    x, kernel = np.array([[2.0]], np.float32), np.array([[3.0]], np.float32)
    spec = TensorSpec("x", (None, 1))
    weight = Weight("kernel", "k", (1, 1), "float32", lambda: kernel)
    config = {"units": 1, "use_bias": False, "kernel_initializer": "zeros", "activation": None}
    node = Node(
        1,
        name,
        "Dense",
        Dense(1, use_bias=False),
        (Ref(0),),
        Origin("Dense", "keras3", config),
        weights={"kernel": weight},
    )
    entry = Node(0, "x", "InputLayer", spec, (), Origin("InputLayer", "keras3"))
    graph = Graph((entry, node), (0,), (Ref(1),), (spec,), "m.keras", "keras", "3.15.1", "tensorflow", "keras3")
    saved = Saved(graph, "m.keras", 3, 3, "tensorflow", "graph", (x,), np.array([[7.0]], np.float32), np.array([[6.0]]),
                  np.array([[1e-6]]), (0, 0), ENVIRONMENT)  # fmt: skip
    layer = LayerResult(1, name, name, "Dense", Verdict.MISMATCH, findings=(Finding("RC301", title, "evidence"),))
    info = ModelInfo("m.keras", "keras", "3.15.1", "tensorflow", "0" * 64)
    check = CheckResult(info, (layer,), None, ENVIRONMENT, {})
    return Reduced(check, layer, replace(saved, **case), before=20, after=2, sizes=("2×4", "1×1"), cases=7, seconds=1.5)


def test_all_files_are_there_and_the_script_compiles(tmp_path: Path) -> None:
    names = save(reduced(), str(tmp_path / "case"))
    assert set(names) == FILES == {path.name for path in (tmp_path / "case").iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["case"]
    text = (tmp_path / "case" / "reproduce.py").read_text()
    compile(text, "reproduce.py", "exec")
    assert 'os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")' in text and "custom_objects" not in text
    said = (tmp_path / "case" / "README.md").read_text()
    for part in (
        "# Dense: bias missing",
        "**7**",
        "**6** ±1.0e-06",
        "TensorFlow: 2.21.0",
        "oneDNN: on",
        "Dense(units=1",
    ):
        assert part in said
    assert "initializer" not in said and "TF32" not in said


@pytest.mark.parametrize("change", [{"mode": "xla"}, {"mode": "eager"}, {"keras": 2}, {"qkeras": True}, {"at": HOSTILE},
                                    {"names": ("mine>Layer",), "code": ()}])  # fmt: skip
def test_every_kind_of_script_compiles(change: dict[str, Any]) -> None:
    case = reduced(**change).case
    assert case is not None
    text = script.render(case, HOSTILE, "case.keras", ["input.npy", "input_1.npy"], ["mine"])
    tree = ast.parse(text)
    assert not any(isinstance(node, ast.Attribute) and node.attr == "system" for node in ast.walk(tree))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    found = reduced(HOSTILE, HOSTILE)
    save(found, str(tmp_path / "case"))
    tree = ast.parse((tmp_path / "case" / "reproduce.py").read_text())
    assert not any(isinstance(node, ast.Attribute) and node.attr == "system" for node in ast.walk(tree))
    assert "<b>" not in issue.render(found, "case.keras", ["input.npy"], []).partition("## The layer")[0]
    assert "\x1b" not in terminal.render(reduced("\x1b[31m"))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "case.h5").write_text("of an older case")
    with pytest.raises(BadInput, match="is not empty"):
        save(reduced(), str(folder))
    assert {path.name for path in folder.iterdir()} == {"mine.txt", "case.h5"}
    save(reduced(), str(folder), force=True)
    assert {path.name for path in folder.iterdir()} == {*FILES, "mine.txt"}
    assert (folder / "mine.txt").read_text() == "mine"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(BadInput, match="No space left"):
        save(reduced(), str(tmp_path / "case"))
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_to_are_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, said in (("file", "is not a folder"), ("none/case", "create it first")):
        with pytest.raises(BadInput, match=said):
            check_folder(str(tmp_path / place), force=True)
    check_folder(str(tmp_path / "new"), force=False)
    check_folder(os.path.relpath(tmp_path / "new"), force=False)


def test_the_user_s_code_comes_along_with_what_it_imports(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "my-layers.py").write_text("import helper\nfrom os import path\n")
    (own / "helper.py").write_text("from deeper import x\n")
    (own / "deeper.py").write_text("x = 1\n")
    (own / "other.py").write_text("")
    save(reduced(code=(own / "my-layers.py",), names=("mine>L",)), str(tmp_path / "case"))
    names = {path.name for path in (tmp_path / "case").iterdir()}
    assert names == {*FILES, "own_0.py", "helper.py", "deeper.py"}
    text = (tmp_path / "case" / "reproduce.py").read_text()
    assert "import own_0" in text and 'for name in ["L"]' in text


def test_words_and_json() -> None:
    found = replace(reduced(), files=("README.md",))
    said = terminal.render(found, folder="case")
    assert "from 2×4" in said and "to 1×1" in said and "REDUCED  from 20 to 2 numbers; 7 cases were run; 1.5 s" in said
    assert "python case/reproduce.py" in said
    assert "time ended the search" in terminal.render(replace(found, complete=False))
    assert '"expected": 6.0' in terminal.as_json(found, "case")
    nothing = Reduced(replace(found.check, layers=()))
    assert nothing.exit_code == 3 and "INCOMPLETE" in terminal.render(nothing)
    assert '"case": null' in terminal.as_json(nothing)
