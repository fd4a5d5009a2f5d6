"""How near float32 dot products come to refconv's bounds, in every order, beside exact rational arithmetic.

    python benchmarks/bounds.py [--longest 100000] [--times 1] [--seed 0] [--json FILE]

One row per kind of data. `outside` counts dot products beyond the worst case and has to be 0 in every row. |err|/σ is
given at its quantiles and its largest, `stage 1` counts those beyond the probable bound, which only ordered data may
leave, and `stage 2` is the largest share of stage 2's radius, measured on ordered data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from support.bounds import LENGTHS, Outcome, batches, outcomes  # noqa: E402

QUANTILES = (50.0, 99.0, 99.9)


def rows(found: dict[tuple[str, str], list[np.ndarray]], names: list[str]) -> list[dict[str, Any]]:
    def column(name: str, what: str) -> np.ndarray:
        return np.concatenate(found[name, what])

    return [_row(name, *(column(name, what) for what in ("sigmas", "worst", "stage", "counts"))) for name in names]


def _row(name: str, sigmas: np.ndarray, worst: np.ndarray, second: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    telling, measured = sigmas[~np.isnan(sigmas)], second[~np.isnan(second)]
    quantiles = np.percentile(telling, QUANTILES) if telling.size else np.full(len(QUANTILES), np.nan)
    return {
        "name": name,
        "dots": len(worst),
        "outside": int(np.sum(counts & 1)),
        "stage 1": int(np.sum(counts >> 1)),
        **{f"{q:g}%": float(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
        "|err|/σ": float(telling.max(initial=0.0)),
        "of worst": float(worst[np.isfinite(worst)].max(initial=0.0)),
        "stage 2": float(measured.max()) if measured.size else float("nan"),
    }


def gather(found: dict[tuple[str, str], list[np.ndarray]], outcome: Outcome) -> None:
    """Every dot product, under its kind of data, its order and unit, and its length."""
    kinds = np.array([kind.name for kind in outcome.batch.kinds])
    ordered = np.array([kind.ordered for kind in outcome.batch.kinds])
    groups = {name: kinds == name for name in dict.fromkeys(kinds.tolist())}
    groups |= {"all unordered": ~ordered, "all ordered": ordered}
    for of, chosen in ((f"{outcome.order}, {outcome.unit.name}", ~ordered), (f"n = {len(outcome.batch.x)}", ~ordered)):
        groups[of] = chosen
    counts = outcome.outside + 2 * outcome.probable.astype(int)
    for name, chosen in groups.items():
        for what, values in (
            ("sigmas", outcome.sigmas),
            ("worst", outcome.worst),
            ("stage", outcome.second),
            ("counts", counts),
        ):
            found[name, what].append(values[chosen])


def table(rows: list[dict[str, Any]]) -> str:
    columns = [name for name in rows[0] if name != "name"]
    lines = [f"{'':34}" + "".join(f"{name:>10}" for name in columns)]
    for row in rows:
        cells = (f"{v:>10}" if isinstance(v, int) else f"{v:>10.3g}" for v in (row[c] for c in columns))
        lines.append(f"{row['name']:34}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--longest", type=int, default=max(LENGTHS))
    parser.add_argument("--times", type=int, default=1, help="this many times as many dot products of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, found, exactness = time.perf_counter(), defaultdict(list), 0.0
    lengths = {n: count * arguments.times for n, count in LENGTHS.items() if n <= arguments.longest}
    for batch in batches(lengths, arguments.seed):
        exactness = max(exactness, float(batch.mid_share.max()))
        for outcome in outcomes(batch):
            gather(found, outcome)
    result = rows(found, list(dict.fromkeys(name for name, _ in found)))
    total = sum(row["dots"] for row in result if row["name"].startswith("all "))
    outside = sum(row["outside"] for row in result if row["name"].startswith("all "))
    print(table(result))
    print(f"{total} dot products, {outside} outside the worst case; {time.perf_counter() - started:.0f} s")
    print(f"the reference is off by {exactness:.2f} of what it allows itself, γ(n, 2⁻⁵³)·Σ|x·w|, at most")
    if arguments.json:
        summary = {"dots": total, "outside": outside, "reference": exactness, "rows": result}
        arguments.json.write_text(json.dumps(summary, indent=1, ensure_ascii=False))
    sys.exit(1 if outside else 0)


if __name__ == "__main__":
    main()
