"""Peak memory of processes that hold a known amount: alone, in a grandchild, and shared by a fork."""

from __future__ import annotations

import sys

import pytest
from speed.memory import KIND
from speed.processes import Ran, read_away, run

PLANTED = 200_000_000
MARGIN = 0.05 * PLANTED  # 2 % that the peak may be below the highest sum, and what two interpreters share with others
HOLD = f"x = b'x' * {PLANTED}; time.sleep(0.5)"


def python(code: str) -> Ran:
    ran = run([sys.executable, "-S", "-c", f"import os, subprocess, sys, time; {code}"])
    assert ran.exit_code == 0, ran.said
    return ran


def test_what_a_process_holds_is_seen() -> None:
    idle = python("time.sleep(0.5)")
    held = python(HOLD)
    assert held.peak - idle.peak == pytest.approx(PLANTED, abs=MARGIN)
    assert 0.5 < held.seconds < 20


def test_a_peak_that_is_given_back_is_seen() -> None:
    idle = python("time.sleep(0.5)")
    held = python(f"{HOLD}; del x; time.sleep(0.5)")
    assert held.peak - idle.peak == pytest.approx(PLANTED, abs=MARGIN)


def test_parent_and_child_are_added_up() -> None:
    child = f"subprocess.run([sys.executable, '-S', '-c', 'import time; {HOLD.replace(chr(39), chr(34))}'])"
    idle = python("subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(0.5)'])")
    both = python(f"y = b'y' * {PLANTED}; {child}")
    assert both.peak - idle.peak == pytest.approx(2 * PLANTED, abs=2 * MARGIN)


@pytest.mark.skipif(KIND != "PSS", reason="this kernel tells no PSS")
def test_pages_that_a_fork_shares_count_once() -> None:
    idle = python("time.sleep(0.5)")
    shared = python(f"x = b'x' * {PLANTED}; pid = os.fork(); time.sleep(0.5); pid and os.waitpid(pid, 0)")
    assert shared.peak - idle.peak == pytest.approx(PLANTED, abs=MARGIN + 10e6)  # and the second interpreter's own


def test_children_that_are_just_being_started_do_not_count_twice() -> None:
    """Until it runs its own program, a child of vfork has all pages of its parent."""
    start = "[subprocess.run(['true']) for _ in range(500)]"
    idle, busy = python(start), python(f"x = b'x' * {PLANTED}; {start}")
    assert busy.peak - idle.peak == pytest.approx(PLANTED, abs=MARGIN)


def test_how_a_command_ended_is_told() -> None:
    code = "import sys; print('FAIL  3 layers'); print('    tensorflow'); sys.exit(3)"
    ran = run([sys.executable, "-S", "-c", code])
    assert (ran.exit_code, ran.said) == (3, "FAIL  3 layers")
    assert read_away([sys.executable, "-S", "-c", code]).said == ""
