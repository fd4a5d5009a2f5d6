"""How much memory a command and all that it starts hold at once, at the most."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.25  # seconds between two looks
PROC = Path("/proc")


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit status, what it wrote, how long it took, and its peak in MB (0: unknown)."""

    status: int
    output: str
    errors: str
    seconds: float
    peak: float


def watched(command: Sequence[str], timeout: float, folder: Path) -> Ran:
    """Run a command and look at its processes until it ends; `folder` takes what it writes meanwhile.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    started, peak = time.perf_counter(), 0.0
    with (folder / "output").open("w+") as output, (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            if time.perf_counter() - started > timeout:
                process.kill()
                process.wait()
                raise subprocess.TimeoutExpired(command, timeout)
            time.sleep(INTERVAL)
        texts = [(file.seek(0), file.read())[1] for file in (output, errors)]
    return Ran(process.returncode, *texts, time.perf_counter() - started, peak)


def resident(pid: int) -> float:
    """MB that a process and its descendants hold now, pages that they share counted once for each; 0 without /proc."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*") if PROC.exists() else ():
        if (parent := _field(folder / "status", "PPid")) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    waiting, total = [pid], 0
    while waiting:
        one = waiting.pop()
        total += _field(PROC / str(one) / "status", "VmRSS") or 0
        waiting += children.get(one, [])
    return total / 1024


def _field(status: Path, name: str) -> int | None:
    """A number of /proc/PID/status; None where the process has ended."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith(name + ":")), None)
    return None if found is None else int(found)
