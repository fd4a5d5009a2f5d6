"""Every row of the threat table: refused in one line before a framework is started, and nothing came of it.

The files run in forks of one process (audited.py), under an audit hook and limits of memory and time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from security.recipes import RECIPES, SECRET, Recipe, harmless

ROWS = (
    "CVE-2024-3660", "CVE-2025-1550", "CVE-2025-8747", "CVE-2025-9906", "CVE-2025-9905", "CVE-2025-49655",
    "CVE-2025-12058", "CVE-2025-12060, CVE-2024-55459", "CVE-2026-1462", "CVE-2026-1669", "CVE-2026-12480",
    "keras #22899, #22900, #23168", "CVE-2026-0897", "keras #23010, #23101, #23303", "CVE-2026-12479", "dead node",
    "amplification", "QKeras strings", "reader disagreements", "malformed", "TensorFlow's functions",
)  # fmt: skip
ALL = [(row, recipe) for row, recipes in RECIPES.items() for recipe in recipes]
# What is wrong with these is known only once layers and weights have been put together: by then a framework may have
# been started, which is told of no file before that is done.
LATE = ("malformed", "reader disagreements", "models_that_share_models")
HERE = Path(__file__).parent
MOST = 300 << 20

Run = dict[str, Any]


class Server:
    """A process of audited.py."""

    def __init__(self, stand_in: Path) -> None:
        path = os.pathsep.join([str(stand_in), str(HERE.parents[1]), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "audited.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            cwd=stand_in,  # where tempfile tries whether it can write, and may not clean up
        )

    def run(self, folder: Path, *arguments: str, size: int, late: bool) -> Run:
        job = {"arguments": arguments, "folder": str(folder), "size": size, "late": late}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        found: Run = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a framework that does nothing but leave word that it was imported, and that it was told of a file."""
    folder = tmp_path_factory.mktemp("stand_in")
    (folder / "tensorflow.py").write_text("import time\ntime.sleep(60)\n")
    server = Server(folder)
    yield server
    server.close()


def checked(server: Server, folder: Path, recipe: Recipe, *options: str, late: bool = False) -> Run:
    path = recipe(folder)
    size = path.stat().st_size
    run = server.run(folder, "check", str(path), "--no-progress", *options, size=size, late=late)
    return {**run, "size": size}


def test_every_row_has_a_recipe() -> None:
    assert set(RECIPES) == set(ROWS)


@pytest.mark.parametrize(("row", "recipe"), ALL, ids=[recipe.__name__ for _, recipe in ALL])
def test_refused(server: Server, tmp_path: Path, row: str, recipe: Recipe) -> None:
    late = row in LATE or recipe.__name__ in LATE
    run = checked(server, tmp_path, recipe, late=late)
    assert run["violations"] == []
    assert run["code"] == 2, run["err"]
    assert run["out"] == ""
    assert run["err"].startswith("refconv: ") and run["err"].count("\n") == 1, run["err"]
    assert "this is a bug" not in run["err"] and "out of memory" not in run["err"]
    assert SECRET.decode() not in run["err"] and "marker" not in run["made"]
    assert run["err"].strip().isprintable()
    assert run["peak"] < MOST + 4 * run["size"]


def test_the_file_that_they_vary_is_accepted(server: Server, tmp_path: Path) -> None:
    """Up to the framework, which the hook does not let start."""
    run = checked(server, tmp_path, harmless)
    assert run["violations"][0].split()[0] in ("os.remove", "os.mkdir")  # for the worker's folder
    assert server.run(tmp_path, "weights", str(tmp_path / "m.h5"), size=1 << 20, late=False)["code"] == 0


PROGRAMS = {
    "marshal.loads": "import marshal; marshal.loads(marshal.dumps(compile('1', 'x', 'eval')))",
    "socket.__new__": "import socket; socket.socket()",
    "os.system": "import os; os.system('true')",
    "import": "import wave",
}


@pytest.mark.parametrize("event", PROGRAMS)
def test_the_hook_sees_what_it_is_there_for(server: Server, tmp_path: Path, event: str) -> None:
    """A file of the user's own, which --reference runs on purpose."""
    path = harmless(tmp_path)
    (tmp_path / "own.py").write_text(PROGRAMS[event])
    arguments = ("check", str(path), "--no-framework", "--reference", str(tmp_path / "own.py"))
    run = server.run(tmp_path, *arguments, size=1 << 20, late=False)
    assert run["violations"]
