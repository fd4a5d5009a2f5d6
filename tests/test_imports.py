"""What importing refconv costs and needs: no framework anywhere but in the worker, and next to nothing at first."""

import json
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

import refconv

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"h5py", "jinja2", "keras", "matplotlib", "numba", "numpy", "rich", "tensorflow", "tf_keras"}

WITHOUT_FRAMEWORKS = """
import importlib, json, pkgutil, sys

class Refuse:
    names = {"jax", "keras", "qkeras", "tensorflow", "tf_keras", "torch"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ImportError(f"{name} is refused here")

sys.meta_path.insert(0, Refuse())
failed, imported = {}, []

def attempt(name):
    try:
        importlib.import_module(name)
        imported.append(name)
    except Exception as error:
        failed[name] = repr(error)

import refconv
for module in pkgutil.walk_packages(refconv.__path__, "refconv."):
    if not module.name.startswith("refconv.frameworks.worker") and not module.name.endswith("__main__"):
        attempt(module.name)
attempt("tensorflow")
print(json.dumps({"failed": failed, "imported": imported}))
"""


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(code: str) -> set[str]:
    report = "import sys; print(' '.join(sys.modules), file=sys.__stdout__)"
    return set(run_python(f"{code}\n{report}").splitlines()[-1].split())


def test_every_module_imports_where_no_framework_is() -> None:
    found = json.loads(run_python(WITHOUT_FRAMEWORKS))
    assert "refconv.pipeline" in found["imported"]
    assert "refused" in found["failed"].pop("tensorflow")  # else nothing was refused, and the test proved nothing
    assert found["failed"] == {}


def test_importing_refconv_imports_nothing_more() -> None:
    modules = modules_after("import refconv")
    assert "refconv" in modules
    assert not modules & (HEAVY | {"click"})
    assert {m for m in modules if m.startswith("refconv.")} == set()


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_need_nothing_heavy(argument: str) -> None:
    modules = modules_after(f"from refconv.cli import main\ntry: main([{argument!r}])\nexcept SystemExit: pass")
    assert "refconv.cli" in modules
    assert not modules & HEAVY


def test_heavy_modules_would_be_seen() -> None:
    assert {"numpy", "h5py"} <= modules_after("import h5py")


@pytest.mark.parametrize("name", refconv.__all__)
def test_public_name_is_what_its_home_defines(name: str) -> None:
    value = getattr(refconv, name)
    assert value.__name__ == name
    assert value.__module__.startswith("refconv.")
    assert name in dir(refconv)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        refconv.chekc  # noqa: B018


def test_public_names_and_submodules_do_not_collide() -> None:
    assert not set(refconv.__all__) & {module.name for module in pkgutil.iter_modules(refconv.__path__)}


def parts() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(refconv.__path__, "refconv.")}


def test_contract_of_the_frameworks_names_every_part_that_they_may_not_import() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in settings["contracts"] if c["id"] == "frameworks-inside")
    allowed = {f"refconv.{name}" for name in ("errors", "frameworks", "graph", "job", "keras", "result", "trace")}
    assert set(contract["forbidden_modules"]) == parts() - allowed


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as m; m()"
    return subprocess.run([sys.executable, "-c", command, "--no-cache"], cwd=root, capture_output=True, text=True)


def test_import_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("ops/dense.py", "import tensorflow.keras"),
        ("numerics/formats.py", "from scipy import signal"),
        ("primitives/sums.py", "from refconv.ops import dense"),
        ("frameworks/worker/work.py", "import refconv.numerics.formats"),
        ("frameworks/worker/work.py", "import torch"),
        ("keras.py", "import keras"),
        ("unplaced.py", "import refconv.errors"),
    ],
)
def test_import_contracts_refuse(tmp_path: Path, file: str, line: str) -> None:
    shutil.copytree(ROOT / "refconv", tmp_path / "refconv", ignore=shutil.ignore_patterns("__pycache__", "samples"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "refconv" / file).open("a") as stream:
        stream.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "refconv." + file.removesuffix(".py").replace("/", ".") in done.stdout


def places(alias: str, sources: Iterable[str]) -> int:
    """How many of the sources define the name."""
    return sum(bool(re.search(rf"^{alias} = ", source, re.MULTILINE)) for source in sources)


@pytest.mark.parametrize("alias", ["Arrays", "Field", "Weights"])
def test_a_type_that_all_parts_share_has_one_place(alias: str) -> None:
    """But for the worker, which shares nothing with the reference."""
    files = [path for path in (ROOT / "refconv").rglob("*.py") if "worker" not in path.parts]
    sources = [path.read_text(encoding="utf-8") for path in files]
    assert places(alias, sources) == 1
    assert places(alias, [*sources, f"import numpy\n{alias} = numpy.ndarray\n"]) == 2
