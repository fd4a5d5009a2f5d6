"""Faults over all models: the rows of `measure`, a file for every model, mode and seed, written when it is complete."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from detection.lines import append
from detection.measure import measure
from detection.models import Model
from detection.operators.base import Operator


def plant_all(
    models: Sequence[Model],
    operators: Sequence[Operator],
    folder: Path,
    *,
    seeds: int,
    modes: Sequence[str],
    samples: int,
    layers: int | None,
) -> None:
    """Every model and seed whose faults the folder does not hold yet; several modes alternate with the seed."""
    for model in models:
        for seed in range(seeds):
            mode = modes[seed % len(modes)]
            path = folder / f"faults-{model.label.replace('/', '_')}-{mode}-{seed}.jsonl"
            if path.exists():
                continue
            started = time.perf_counter()
            rows = list(measure(model, operators, seed=seed, mode=mode, samples=samples, layers=layers))
            whole = path.with_suffix(".part")
            whole.unlink(missing_ok=True)
            append(whole, *rows)
            whole.rename(path)
            found = sum(row["found"] for row in rows)
            seconds = time.perf_counter() - started
            print(
                f"{model.label[:40]:40} {mode:5} seed {seed} {len(rows):5} mutants, {found:5} found, {seconds:6.1f} s"
            )
            sys.stdout.flush()
