"""What checks cost when one worker serves them all, and whether its memory grows.

    python benchmarks/pool.py [--checks 100] [--alone 3] [MODEL …]

Seconds are wall time of `refconv.check` in one process. The start is the time from asking for a worker to its first
answer, less what this process computes in between: a kept worker need not import its framework again. Memory is what
the worker alone has written to (Private_Dirty), after a check.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

import refconv  # noqa: E402
from refconv.frameworks import Worker  # noqa: E402

SAMPLES = Path(refconv.__file__).parent / "samples"
MODELS = [str(SAMPLES / name) for name in ("digits.h5", "digits.keras", "digits_qkeras.h5")]
SHOWN = (1, 2, 10, 25, 50, 75, 100)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--checks", type=int, default=100)
    parser.add_argument("--alone", type=int, default=3, help="checks with a worker of their own, for comparison")
    given = parser.parse_args(arguments)
    for model in given.models:
        _measure(model, given.checks, given.alone)


def _measure(model: str, checks: int, alone: int) -> None:
    refconv.check(model)  # kernels are compiled, files in memory
    apart = [_timed(model, None)[0] for _ in range(alone)]
    seconds, memory, starts, pids = [], [], [], set()
    with refconv.Pool() as pool:
        for _ in range(checks):
            took, start = _timed(model, pool)
            child = pool._waiting[-1][1]
            seconds.append(took)
            starts.append(start)
            memory.append(_private(child.pid) / 1e6)
            pids.add(child.pid)
    print(f"{Path(model).name}: {checks} checks, {len(pids)} worker(s)")
    print(f"  alone, median of {alone}: {statistics.median(apart):.2f} s")
    print(f"  pooled: first {seconds[0]:.2f} s, median of the others {statistics.median(seconds[1:]):.2f} s")
    print(f"  start: first {starts[0]:.2f} s, median of the others {1e3 * statistics.median(starts[1:]):.1f} ms")
    told = ", ".join(f"{n}: {memory[n - 1]:.0f}" for n in SHOWN if n <= checks)
    print(f"  MB of the worker's own after check {told}", flush=True)


def _timed(model: str, pool: refconv.Pool | None) -> tuple[float, float]:
    """Seconds of the whole check, and of the worker's start: taking it, and from the question to the first answer."""
    spent = {"taken": 0.0, "asked": 0.0, "answered": 0.0}
    take, stream = Worker.__init__, Worker.stream

    def taking(self: Worker, *given: Any, **named: Any) -> None:
        started = time.perf_counter()
        take(self, *given, **named)
        spent["taken"] = time.perf_counter() - started

    def asking(self: Worker, *given: Any, **named: Any) -> Any:
        spent["asked"] = time.perf_counter()
        return stream(self, *given, **named)

    def progress(what: str, share: float | None) -> None:
        if what == "loading the model":
            spent["answered"] = time.perf_counter()

    with patch.object(Worker, "__init__", taking), patch.object(Worker, "stream", asking):
        started = time.perf_counter()
        result = refconv.check(model, pool=pool, progress=progress)
        took = time.perf_counter() - started
    assert result.verdict == "pass", result.verdict
    return took, spent["taken"] + spent["answered"] - spent["asked"]


def _private(pid: int) -> int:
    """Bytes that only this process has, and has written to."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty:"))


if __name__ == "__main__":
    main()
