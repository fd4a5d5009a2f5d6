"""Every model given, in every mode asked for, for many seeds: how many checks passed, and how near the bounds came.

    python benchmarks/acceptance.py MODEL… [--seeds 10] [--mode graph --mode eager] [--json FILE]

The framework runs in this process, loaded once per model, because loading would cost more than the checks; everything
else is what `refconv check` does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras, which QKeras imports, is Keras 2; `import keras` is Keras 3 still
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from support.live import capture_live, framework  # noqa: E402

from refconv import formats, pipeline  # noqa: E402
from refconv.frameworks.worker.loading import load_model  # noqa: E402
from refconv.pipeline import Options, draw_inputs, verify  # noqa: E402
from refconv.result import CheckResult  # noqa: E402


def runs(path: Path, seeds: int, modes: list[str], samples: int) -> list[dict[str, Any]]:
    """One row per mode and seed."""
    graph = formats.load(path)
    model = load_model(framework(graph.keras), str(path), graph.qkeras)
    rows = []
    for mode in modes:
        for seed in range(seeds):
            options = Options(samples=samples, seed=seed, mode=mode)
            started = time.perf_counter()
            arrays = draw_inputs(graph, None, options)
            trace = capture_live(model, arrays, keras=graph.keras, mode=mode)
            result = verify(graph, trace, arrays, options, seeded=True)
            rows.append(_row(path, mode, seed, result, time.perf_counter() - started))
            print(_line(rows[-1]), flush=True)
    return rows


def _row(path: Path, mode: str, seed: int, result: CheckResult, seconds: float) -> dict[str, Any]:
    layers = [layer for layer in result.layers if layer.worst is not None]
    used = {layer.name: layer.worst.bound_used for layer in layers if layer.worst}
    return {
        "model": path.name,
        "mode": mode,
        "seed": seed,
        "verdict": result.verdict,
        "counts": result.counts,
        "explained": sum(c.explained for layer in layers for c in layer.outputs),
        "bound_used": max(used.values(), default=0.0),
        "where": max(used, key=lambda name: used[name], default=""),
        "plain_used": result.plain.bound_used if result.plain else None,
        "failing": [f"{layer.name}: {layer.verdict}" for layer in result.layers if layer.verdict.severity > 3],
        "seconds": seconds,
    }


def _line(row: dict[str, Any]) -> str:
    plain = "none" if row["plain_used"] is None else f"{row['plain_used']:.3f}"
    return (
        f"{row['model']:32} {row['mode']:6} {row['seed']:3} {row['verdict']:10} {row['counts']['verified']:4} layers"
        f"  used {row['bound_used']:.3f} {row['where'][:28]:28} plain {plain} {row['seconds']:6.1f}s"
        f" {'; '.join(row['failing'][:3])}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samples", type=int, default=pipeline.Options.samples)
    parser.add_argument("--mode", action="append", choices=["graph", "eager", "xla"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for path in arguments.models:
        rows += runs(path, arguments.seeds, arguments.mode or ["graph", "eager"], arguments.samples)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1))
    checks = sum(row["counts"]["verified"] for row in rows)
    print(f"{len(rows)} runs, {checks} layer checks: {dict(Counter(row['verdict'] for row in rows))}")


if __name__ == "__main__":
    main()
