"""What is left when something dies in the middle: one clear line, no process, no folder, and no half a file."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from refconv.frameworks.inherited import inherited

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "refconv" / "samples" / "digits.h5"

# In place of TensorFlow: tells who it is and what it was given, starts a process of its own, and waits.
HANGS = """
import json, os, subprocess, sys, time
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
open(os.path.join(os.environ["TMPDIR"], "left.txt"), "w").write("something")
with open(os.environ["REFCONV_TEST_TOLD"] + ".new", "w") as file:
    json.dump({"pids": [os.getpid(), own.pid], "environment": dict(os.environ)}, file)
os.rename(os.environ["REFCONV_TEST_TOLD"] + ".new", os.environ["REFCONV_TEST_TOLD"])
time.sleep(120)
"""
TAKES_MEMORY = "taken = [bytearray(1 << 28) for _ in range(16)]\n"
SECRETS = {"AWS_SECRET_ACCESS_KEY": "s1", "GITHUB_TOKEN": "s2", "TF_TOKEN_app_terraform_io": "s3", "REFCONV_KEY": "s4",
           "MY_OWN": "s5", "TF_ENABLE_ONEDNN_OPTS": "0"}  # fmt: skip


class Program:
    """`refconv check` with a stand-in for the framework, and a temporary folder of its own."""

    def __init__(self, folder: Path, source: str, *options: str, limit: Callable[[], Any] | None = None) -> None:
        self.scratch, self.told = folder / "scratch", folder / "told.json"
        self.scratch.mkdir()
        stand_in = folder / "stand_in"
        stand_in.mkdir()
        (stand_in / "tensorflow.py").write_text(source)
        path = os.pathsep.join([str(stand_in), str(ROOT), *filter(None, sys.path)])
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from refconv.cli import main; main()", "check", str(MODEL), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **SECRETS, "PYTHONPATH": path, "TMPDIR": str(self.scratch),
                 "REFCONV_TEST_TOLD": str(self.told)},
            preexec_fn=limit,
        )  # fmt: skip

    def started(self) -> dict[str, Any]:
        """What the stand-in tells, once it is there."""
        until = time.monotonic() + 60
        while not self.told.exists():
            assert self.process.poll() is None and time.monotonic() < until, self.process.communicate()
            time.sleep(0.02)
        found: dict[str, Any] = json.loads(self.told.read_text())
        return found

    def end(self) -> tuple[int, str]:
        try:
            out, err = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()  # none may be left to disturb other tests
            raise
        assert out == ""
        return self.process.returncode, err

    def nothing_is_left(self, pids: Sequence[int]) -> bool:
        until = time.monotonic() + 10
        while any(map(alive, pids)) or list(self.scratch.iterdir()):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_that_is_killed_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    program = Program(tmp_path, HANGS, "--no-progress", "--json", str(tmp_path / "r.json"))
    pids = program.started()["pids"]
    os.kill(pids[0], signal.SIGKILL)
    code, err = program.end()
    assert code == 3
    assert err.startswith("refconv: the worker was killed by SIGKILL")
    assert program.nothing_is_left(pids)
    assert not (tmp_path / "r.json").exists()


def test_ctrl_c_ends_the_worker_and_all_that_it_started(tmp_path: Path) -> None:
    program = Program(tmp_path, HANGS, "--no-progress")
    pids = program.started()["pids"]
    time.sleep(0.5)
    program.process.send_signal(signal.SIGINT)
    code, err = program.end()
    assert (code, err.strip()) == (130, "refconv: interrupted")  # click ends the line on which ^C stands
    assert program.nothing_is_left(pids)


# What Numba does as it stores a kernel: calls Python from C, where an exception cannot be raised.
INTERRUPTED_INSIDE = """
import ctypes, signal, time
import click
from refconv.cli.ending import Command, run

@click.command(cls=Command)
def command():
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()
    {then}

raise SystemExit(run(command, []))
"""


@pytest.mark.parametrize("then", ["time.sleep(60)", "raise RuntimeError('the callback did nothing')", "pass"])
def test_ctrl_c_inside_a_callback_of_c_is_not_lost(then: str) -> None:
    program = INTERRUPTED_INSIDE.format(then=then)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stderr.strip()) == (130, "refconv: interrupted")


def test_a_parent_that_is_killed_takes_the_worker_with_it_and_the_folder(tmp_path: Path) -> None:
    program = Program(tmp_path, HANGS, "--no-progress")
    pids = program.started()["pids"]
    program.process.kill()
    program.end()
    assert program.nothing_is_left(pids)


def test_the_time_limit(tmp_path: Path) -> None:
    program = Program(tmp_path, HANGS, "--no-progress", "--timeout", "0.5")
    code, err = program.end()
    assert code == 3 and "did not finish within 0.5 s (raise the limit with --timeout)" in err
    assert not list(program.scratch.iterdir())


def test_the_memory_limit(tmp_path: Path) -> None:
    program = Program(tmp_path, TAKES_MEMORY, "--no-progress", "--memory", "1GB")
    code, err = program.end()
    assert code == 3 and "MemoryError" in err and "--memory" in err
    assert not list(program.scratch.iterdir())


def test_the_worker_inherits_no_secrets(tmp_path: Path) -> None:
    program = Program(tmp_path, HANGS, "--no-progress")
    found = program.started()["environment"]
    program.process.kill()
    program.end()
    assert {name for name in SECRETS if name in found} == {"TF_ENABLE_ONEDNN_OPTS"}
    assert found["PATH"] == os.environ["PATH"] and Path(found["TMPDIR"]).parent == program.scratch


@pytest.mark.parametrize(
    ("name", "kept"),
    [("PATH", True), ("CUDA_VISIBLE_DEVICES", True), ("LC_ALL", True), ("TF_VAR_password", False), ("XLA_FLAGS", True),
     ("NVIDIA_API_KEY", False), ("PYTHONPATH", True), ("CUDA_TOKEN", False), ("SSH_AUTH_SOCK", False), ("", False)],
)  # fmt: skip
def test_what_a_worker_inherits(name: str, kept: bool) -> None:
    assert (inherited({name: "x"}) == {name: "x"}) is kept


def small_files() -> None:
    """A disk that is full after some bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk_is_a_clear_line(tmp_path: Path) -> None:
    program = Program(tmp_path, HANGS, "--no-progress", limit=small_files)
    code, err = program.end()
    assert code == 3
    assert "cannot be written: File too large (TMPDIR names another place)" in err and err.count("\n") == 1
    assert not list(program.scratch.iterdir())


def weights(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from refconv.cli import main; main()", "weights", str(MODEL), *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options)


def test_a_full_disk_leaves_the_old_output(tmp_path: Path) -> None:
    target = tmp_path / "w.npz"
    target.write_text("old")
    done = weights("--output", str(target), preexec_fn=small_files, stdout=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stderr == f"refconv: {target}: cannot be written: File too large\n"
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_full_disk_behind_stdout(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = weights(stdout=full)
    assert done.returncode == 2
    assert done.stderr == "refconv: cannot be written: No space left on device\n"


KILLED = """
import os, random, signal, sys, time
from refconv.formats.replacing import replacing

target, draw = sys.argv[1], random.Random(0)
contents = [letter * 400_000 for letter in (b"a", b"b")]

def write():
    for number in range(10**6):
        with replacing(target) as temporary:
            temporary.write_bytes(contents[number % 2])

torn = 0
for _ in range(50):
    if not (pid := os.fork()):
        write()
    time.sleep(draw.uniform(0.001, 0.03))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    torn += os.path.exists(target) and open(target, "rb").read() not in contents
print(torn, os.path.exists(target))
"""


def test_a_program_killed_while_it_writes_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    assert done.stdout.split() == ["0", "True"]


EDITED = """
import os, random, signal, sys, time
import refconv

model, target, draw = sys.argv[1], sys.argv[2], random.Random(0)
contents = []
for value in (0, 1):
    refconv.edit(model, target, set=[f"conv={value}"])
    contents.append(open(target, "rb").read())

torn = 0
for _ in range(50):
    if not (pid := os.fork()):
        for number in range(10**6):
            refconv.edit(model, target, set=[f"conv={number % 2}"])
    time.sleep(draw.uniform(0.001, 0.06))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    torn += open(target, "rb").read() not in contents
print(torn, contents[0] != contents[1])
"""


@pytest.mark.parametrize("model", ["digits.h5", "digits.keras"])
def test_edit_killed_at_any_moment_leaves_the_old_copy_or_the_new_one(model: str, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    command = [sys.executable, "-c", EDITED, str(MODEL.with_name(model)), str(tmp_path / f"copy{Path(model).suffix}")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    assert done.stdout.split() == ["0", "True"]
