"""The folder of a case: whole, or not there at all."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from refconv.errors import BadInput
from refconv.formats.writer import ENDINGS, write
from refconv.pipeline.reducing.result import Reduced, Saved
from refconv.report.reduction import issue, script

OWN = re.compile(r"(case\.(keras|h5|hdf5)|input(_\d+)?\.npy|expected\.npy|allowed\.npy|reproduce\.py|README\.md)")
TAKEN = ("reproduce", "keras", "tf_keras", "tensorflow", "jax", "torch", "numpy", "qkeras", "os", "sys", "pathlib")


def check_folder(path: str, *, force: bool) -> None:
    """Refuse a place before the work for it begins.

    Raises:
        BadInput: it is a file, a folder with something in it (unless `force`), or cannot be made.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise BadInput(f"{path} is not a folder", where="--output")
    if target.is_dir() and any(target.iterdir()) and not force:
        raise BadInput(f"{path} is not empty", where="--output", hint="--force writes into it all the same")
    parent = target if target.is_dir() else target.absolute().parent
    if not parent.is_dir():
        raise BadInput(f"there is no folder {parent} for {target.name}", where="--output", hint="create it first")
    if not os.access(parent, os.W_OK):
        raise BadInput(f"{parent} cannot be written to", where="--output", hint="its permissions forbid it")


def save(found: Reduced, folder: str, *, force: bool = False) -> tuple[str, ...]:
    """Write the case; the names of the files.

    They are made beside their place and then moved, so that a folder that stands is complete.

    Raises:
        BadInput: the folder is not empty, or the system refuses.
    """
    check_folder(folder, force=force)
    assert found.case is not None
    target = Path(os.path.realpath(folder))
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        try:
            names = _write(found, found.case, temporary)
            _move(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror or error}", where=folder) from None
    return names


def _move(source: Path, target: Path) -> None:
    if not target.exists() or not any(target.iterdir()):
        os.replace(source, target)
        return
    fresh = {path.name for path in source.iterdir()}
    for path in source.iterdir():
        os.replace(path, target / path.name)
    for path in target.iterdir():  # of an older case
        if OWN.fullmatch(path.name) and path.name not in fresh and path.is_file():
            path.unlink()


def _write(found: Reduced, case: Saved, folder: Path) -> tuple[str, ...]:
    model = _model(case, folder)
    inputs = ["input.npy" if n == 0 else f"input_{n}.npy" for n in range(len(case.inputs))]
    for name, x in [
        *zip(inputs, case.inputs, strict=True),
        ("expected.npy", case.expected),
        ("allowed.npy", case.allowed),
    ]:
        np.save(folder / name, x, allow_pickle=False)
    code, modules = _code(case, folder)
    (folder / "reproduce.py").write_text(script.render(case, issue.title(found), model, inputs, modules), "utf-8")
    (folder / "README.md").write_text(issue.render(found, model, inputs, code), "utf-8")
    return tuple(sorted(path.name for path in folder.iterdir()))


def _model(case: Saved, folder: Path) -> str:
    if case.graph is None:
        ending = Path(case.file).suffix.lower()
        name = f"case{ending if ending in ('.keras', '.h5', '.hdf5') else ENDINGS[case.spelling]}"
        shutil.copyfile(case.file, folder / name)
        return name
    name = f"case{ENDINGS[case.spelling]}"
    write(case.graph, folder / name, keras=case.spelling, backend=case.backend)
    return name


def _code(case: Saved, folder: Path) -> tuple[list[str], list[str]]:
    """The user's files and what they import from beside them; their names, and the modules that the script imports."""
    names: list[str] = []
    modules: list[str] = []
    for number, file in enumerate(case.code):
        stem = file.stem if file.stem.isidentifier() and file.stem not in TAKEN else f"own_{number}"
        modules.append(stem)
        for path, name in {file: f"{stem}.py", **_siblings(file)}.items():
            if name not in names:
                shutil.copyfile(path, folder / name)
                names.append(name)
    return names, modules


def _siblings(file: Path) -> Mapping[Path, str]:
    """The Python files beside it that it imports, and those that they import."""
    found: dict[Path, str] = {}
    waiting = [file]
    while waiting:
        for name in _imported(waiting.pop()):
            path = file.parent / f"{name}.py"
            if path.is_file() and path != file and path not in found and not OWN.fullmatch(path.name):
                found[path] = path.name
                waiting.append(path)
    return found


def _imported(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
