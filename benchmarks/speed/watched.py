"""A command whose output is wanted whole, beside its time and peak memory, within a time limit."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speed.memory import Peak


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit status, what it wrote, how long it took, and its peak in MB."""

    status: int
    output: str
    errors: str
    seconds: float
    peak: float


def watched(command: Sequence[str], timeout: float, folder: Path) -> Ran:
    """Run a command and watch its processes until it ends; `folder` takes what it writes meanwhile.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    started = time.perf_counter()
    with (folder / "output").open("w+") as output, (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        try:
            with Peak(process.pid) as peak:
                process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        texts = [(file.seek(0), file.read())[1] for file in (output, errors)]
    return Ran(process.returncode, *texts, time.perf_counter() - started, peak.bytes / 1e6)
