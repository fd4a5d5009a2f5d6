"""scripts/check and scripts/test, run in a copy of the tree with a Python that only pretends to install."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTEST = "pytest --numprocesses auto --dist loadfile"

# Serves as the base interpreter and, copied, as the one of the environment. What it was asked goes to $LOG.
PRETENDER = """#!/usr/bin/env bash
case "$1 ${2:-}" in
    "-c import ensurepip"*) exit ${UNSUITABLE:-0} ;;
    "-c "*) exit ${LINT_IMPORTS:-0} ;;
    "--version "*) echo Python 3.11.0 ;;
    "-m venv")
        echo venv >>"$LOG"
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        echo '#!/usr/bin/env bash' >"$3/bin/refconv"
        echo 'echo "refconv $*" >>"$LOG"; [[ "$*" != *"${FAILS:-nothing}"* ]]' >>"$3/bin/refconv"
        chmod +x "$3/bin/refconv"
        ;;
    "-m pip")
        [ "$3" = install ] || exit 0
        echo "install ${@: -1}" >>"$LOG"
        case "${PIP:-}" in
            fails) exit 1 ;;
            killed) kill -KILL $PPID ;;
            interrupted) kill -INT $PPID; exit 1 ;;
        esac
        ;;
    *) echo "$2 ${*:3}" >>"$LOG"; [ "$2" != "${TOOL_FAILS:-}" ] ;;
esac
"""


@dataclass
class Tree:
    root: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            [str(self.root / "scripts" / script), *arguments],
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def did(self) -> list[str]:
        return [line.replace(f"{self.root}", "ROOT") for line in self.log.read_text().splitlines()]


@pytest.fixture(params=["tree", "a tree with spaces"])
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Tree:
    root, commands = tmp_path / request.param, tmp_path / "commands"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    (root / "refconv" / "samples").mkdir(parents=True)
    for name in ("a.h5", "b.h5", "c.keras", "images.npy"):
        (root / "refconv" / "samples" / name).touch()
    commands.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python"):
        (commands / name).write_text(PRETENDER)
        (commands / name).chmod(0o755)
    log = tmp_path / "log"
    return Tree(root, log, {"PATH": f"{commands}:{os.environ['PATH']}", "LOG": str(log), "LC_ALL": "C"})


def test_check_makes_the_environment_and_passes_its_arguments_on(tree: Tree) -> None:
    done = tree.run("check", "a model.h5", "--samples", "3")
    assert done.returncode == 0, done.stderr
    assert tree.did() == ["venv", "install ROOT", "refconv check a model.h5 --samples 3"]


def test_second_run_installs_nothing(tree: Tree) -> None:
    tree.run("check", "m.h5")
    assert tree.run("check", "m.h5").returncode == 0
    assert tree.did() == ["refconv check m.h5"]


def test_changed_pins_are_installed(tree: Tree) -> None:
    tree.run("check", "m.h5")
    with (tree.root / "constraints.txt").open("a") as stream:
        stream.write("extra==1.0\n")
    tree.run("check", "m.h5")
    assert tree.did() == ["install ROOT", "refconv check m.h5"]


def test_what_the_tests_need_serves_a_check_and_not_the_other_way_round(tree: Tree) -> None:
    tree.run("check", "m.h5")
    tree.run("test")
    assert tree.did()[0] == "install ROOT[dev]"
    tree.run("check", "m.h5")
    assert tree.did() == ["refconv check m.h5"]


def test_failed_install_is_told_and_tried_again(tree: Tree) -> None:
    done = tree.run("check", "m.h5", PIP="fails")
    assert done.returncode == 2
    assert "installing refconv failed" in done.stderr
    tree.run("check", "m.h5")
    assert tree.did() == ["install ROOT", "refconv check m.h5"]


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_interrupted_install_is_made_anew(tree: Tree, how: str) -> None:
    assert tree.run("check", "m.h5", PIP=how).returncode != 0
    assert tree.run("check", "m.h5").returncode == 0
    assert tree.did() == ["venv", "install ROOT", "refconv check m.h5"]


def test_environment_whose_python_is_gone_is_made_anew(tree: Tree) -> None:
    tree.run("check", "m.h5")
    (tree.root / ".venv" / "bin" / "python").unlink()
    tree.run("check", "m.h5")
    assert tree.did() == ["venv", "install ROOT", "refconv check m.h5"]


def test_no_suitable_python(tree: Tree) -> None:
    done = tree.run("check", "m.h5", UNSUITABLE="1")
    assert done.returncode == 2
    assert "no Python 3.11 to 3.13" in done.stderr
    assert tree.did() == []


def test_python_named_by_the_user_must_suit(tree: Tree) -> None:
    done = tree.run("check", "m.h5", PYTHON="/nowhere/python")
    assert done.returncode == 2
    assert "PYTHON=/nowhere/python is not" in done.stderr


def test_real_python_suits() -> None:
    code = f'source "{ROOT}/scripts/_setup"; suits "{sys.executable}"'
    assert subprocess.run(["bash", "-c", code]).returncode == 0


def test_without_arguments_every_sample_is_checked(tree: Tree) -> None:
    done = tree.run("check")
    assert done.returncode == 0, done.stderr
    checked = [line for line in tree.did() if line.startswith("refconv")]
    assert checked == [f"refconv check ROOT/refconv/samples/{name}" for name in ("a.h5", "b.h5", "c.keras")]


def test_one_failing_sample_fails_after_all_were_checked(tree: Tree) -> None:
    done = tree.run("check", FAILS="a.h5")
    assert done.returncode == 1
    assert tree.did()[-1] == "refconv check ROOT/refconv/samples/c.keras"


def test_test_runs_every_step_and_ends_with_pytest(tree: Tree) -> None:
    done = tree.run("test", "tests/ops", "-k", "dense")
    assert done.returncode == 0, done.stderr
    assert tree.did()[2:] == ["ruff check", "ruff format --check", "mypy ", f"{PYTEST} tests/ops -k dense"]


def test_slow_tests_have_their_own_command(tree: Tree) -> None:
    tree.run("test", "--slow", "-x")
    assert tree.did()[-1] == f"{PYTEST} -m slow -x"


@pytest.mark.parametrize(
    ("variable", "value", "step"), [("TOOL_FAILS", "mypy", "mypy"), ("LINT_IMPORTS", "1", "import contracts")]
)
def test_failed_step_fails_and_pytest_runs_all_the_same(tree: Tree, variable: str, value: str, step: str) -> None:
    done = tree.run("test", **{variable: value})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"==> failed: {step}"
    assert tree.did()[-1] == PYTEST
