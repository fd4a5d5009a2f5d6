"""A command run to its end: wall time, peak memory with all its children, and how it ended."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speed.memory import Peak


@dataclass(frozen=True)
class Ran:
    """One run. `said` is the last line that it printed at the margin: a verdict, or an error."""

    seconds: float
    peak: int  # bytes
    exit_code: int
    said: str


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Ran:
    """Run `command` with `env` added to this process's environment."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**_installed(), **(env or {})},
        )
        try:
            with Peak(process.pid) as peak:
                process.wait()
                seconds = time.perf_counter() - started
        except BaseException:  # Ctrl-C: nothing is left behind
            process.terminate()
            process.wait()
            raise
        output.seek(0)
        return Ran(seconds, peak.bytes, process.returncode, _last(output.read().decode(errors="replace")))


def _installed() -> dict[str, str]:
    """This environment, in which a second run finds what was compiled in the first, as an installed program does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def read_away(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Ran:
    """Run `command > /dev/null`."""
    words = [str(word) for word in command]
    return run(["sh", "-c", 'exec "$@" >/dev/null', "sh", *words], env)


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line[0].isspace()), "").strip()
