"""Peak memory of a process and all its descendants together, sampled from /proc.

PSS is the honest sum: a page that several processes map counts once, in shares, where the sum of RSS counts it in each.
Asking for it walks all page tables (milliseconds a gigabyte, which would disturb the clock beside it), so it is asked
for when the sum of RSS, which costs microseconds, has grown by 2 %, and else twice a second while a new peak is
possible (PSS is never above RSS). Without smaps_rollup (Linux before 4.14) the peak is that of the sum of RSS.

It is asked for twice, PERIOD apart, and the smaller answer counts: a child that has not yet become another program
(vfork) has its parent's pages for an instant, and both of them say so.

A child is found while its parent lives, and pages of files (libraries) are shared with strangers that map them too:
measure on a machine that runs nothing else.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

PERIOD = 0.02  # seconds between two samples of RSS
GROWN = 1.02  # times the RSS of the last question
AGAIN = 0.5  # seconds after which to ask once more
PAGE = os.sysconf("SC_PAGE_SIZE")
PROC = Path("/proc")


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text()
    except OSError:  # it has ended, or there is no such file here
        return ""


def pss(pid: int) -> int:
    """Proportional set size in bytes; 0 of a process that has ended."""
    text = _read(pid, "smaps_rollup")
    line = next((line for line in text.splitlines() if line.startswith("Pss:")), "")
    return int(line.split()[1]) * 1024 if line else 0


def rss(pid: int) -> int:
    """Resident set size in bytes; 0 of a process that has ended."""
    fields = _read(pid, "statm").split()
    return int(fields[1]) * PAGE if fields else 0


KIND, SHARED = ("PSS", pss) if pss(os.getpid()) else ("RSS", rss)


class Tree:
    """A process and its descendants; the parent of each process is read once, when it is first seen."""

    def __init__(self, root: int) -> None:
        self._members, self._seen = {root}, {root}

    def members(self) -> set[int]:
        new = {int(name) for name in os.listdir(PROC) if name.isdigit()} - self._seen
        self._seen |= new
        parents = {pid: _parent(pid) for pid in new}
        while found := {pid for pid, parent in parents.items() if parent in self._members} - self._members:
            self._members |= found
        return self._members


class Peak:
    """While entered, watches `root` and its descendants from a thread; `bytes` is the highest sum that was seen."""

    def __init__(self, root: int) -> None:
        self.bytes = 0
        self._tree = Tree(root)
        self._asked, self._when = 0, 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        self.sample()
        while not self._end.wait(PERIOD):
            self.sample()

    def sample(self) -> None:
        pids = self._tree.members()
        resident, now = sum(map(rss, pids)), time.monotonic()
        if resident > self.bytes and (resident > GROWN * self._asked or now > self._when + AGAIN):
            self._asked, self._when = resident, now
            self.bytes = max(self.bytes, _lasting(pids))


def _lasting(pids: set[int]) -> int:
    first = sum(map(SHARED, pids))
    time.sleep(PERIOD)
    return min(first, sum(map(SHARED, pids)))


def _parent(pid: int) -> int:
    """The name of a program stands in parentheses and may hold any character."""
    after = _read(pid, "stat").rpartition(")")[2].split()
    return int(after[1]) if after else 0
