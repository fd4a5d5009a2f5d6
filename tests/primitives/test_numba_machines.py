"""The compiled engine on processors with other registers than this one's: blocks of other sizes, equal results."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SSE2 = "+sse,+sse2,+fxsr,+cx16"
AVX2 = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+fxsr,+cx16"
MACHINES = {"x86-64": (SSE2, 2), "haswell": (AVX2, 4)}

SCRIPT = """
import sys
import numpy as np
from refconv.primitives.geometry import window
from refconv.primitives.numba_engine import ENGINE as FAST
from refconv.primitives.numba_tile import LANES
from refconv.primitives.numpy_engine import ENGINE as ORACLE

assert LANES == int(sys.argv[1]), LANES
rng = np.random.default_rng(0)
for c in (3, 16, 37):
    x = rng.integers(-9, 10, (1, 6, 15, c)).astype(np.float32)
    w = window((6, 15), (3, 5), (1, 1), padding="same")
    single, dense, wide = (rng.integers(-9, 10, (3, 5, n, f)).astype(np.float32) for n, f in ((1, c), (c, c), (c, 90)))
    for engine in (FAST, ORACLE):
        sums = [engine.correlate_sums(x, single, w, c), engine.window_sums(x, w)]
        sums += [engine.correlate_sums(x, kernel, w) for kernel in (dense, wide)]
        found = [part for s in sums for part in (s.y, s.a)] + [engine.window_max(x, w), *(s.q for s in sums)]
        expected = found if engine is FAST else expected
    for fast, oracle in zip(expected[:-4], found[:-4], strict=True):
        assert np.array_equal(fast, oracle)
    for fast, oracle in zip(expected[-4:], found[-4:], strict=True):
        assert np.all(fast >= oracle) and np.all(fast <= oracle * 1.001)
"""


def runs_here(features: str) -> bool:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    has = {flag.replace(".", "_") for flag in features.replace("+", "").split(",")} - {"sse3"}  # Linux calls it pni
    return platform.machine() == "x86_64" and has <= set(flags.split())


def run(name: str, script: str, cache: Path) -> None:
    features, lanes = MACHINES[name]
    if not runs_here(features):
        pytest.skip(f"this processor is no {name}")
    told = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", script, str(lanes)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", MACHINES)
def test_the_engine_loads(name: str, tmp_path: Path) -> None:
    run(name, "import refconv.primitives.numba_engine", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_fewer_and_shorter_registers(name: str, tmp_path: Path) -> None:
    run(name, SCRIPT, tmp_path)
