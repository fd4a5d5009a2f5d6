"""What checks cost when one worker serves them all, and whether its memory grows.

    python benchmarks/pool.py [--checks 100] [--alone 3] [MODEL …]

Seconds are wall time of `refconv.check` in one process; "starts" is the time until the worker has its job and the
framework has been imported, which a kept worker does not need again. Memory is the worker's PSS after a check.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

from speed.memory import KIND, SHARED  # noqa: E402

import refconv  # noqa: E402

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
    seconds, memory, ready, pids = [], [], [], set()
    with refconv.Pool() as pool:
        for _ in range(checks):
            took, first = _timed(model, pool)
            child = pool._waiting[-1][1]
            seconds.append(took)
            ready.append(first)
            memory.append(SHARED(child.pid) / 1e6)
            pids.add(child.pid)
    print(f"{Path(model).name}: {checks} checks, {len(pids)} worker(s)")
    print(f"  alone, median of {alone}: {statistics.median(apart):.2f} s")
    print(f"  pooled: first {seconds[0]:.2f} s, median of the others {statistics.median(seconds[1:]):.2f} s")
    print(f"  until the worker loads the model: {ready[0]:.3f} s, then median {statistics.median(ready[1:]):.4f} s")
    told = ", ".join(f"{n}: {memory[n - 1]:.0f}" for n in SHOWN if n <= checks)
    print(f"  worker's {KIND}, MB after check {told}", flush=True)


def _timed(model: str, pool: refconv.Pool | None) -> tuple[float, float]:
    """Seconds of the whole check, and from the reading of the file until the worker begins with the model."""
    started, told = time.perf_counter(), dict[str, float]()

    def progress(what: str, share: float | None) -> None:
        told.setdefault(what, time.perf_counter() - started)

    result = refconv.check(model, pool=pool, progress=progress)
    assert result.verdict == "pass", result.verdict
    return time.perf_counter() - started, told.get("loading the model", 0.0)


if __name__ == "__main__":
    main()
