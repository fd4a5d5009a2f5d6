"""Every strategy of refconv.testing against TensorFlow: layer calls one by one, and whole random models.

    python benchmarks/strategies.py OUT.jsonl [--cases 10000] [--models 500] [--seed 0] [--only NAME] [--json FILE]

Nothing is planted, so every failure is a fault of refconv, of a bound, or of TensorFlow. Cases go through the layers of
Keras 3 and Keras 2 in turn, eagerly, one in five in a traced function; models of either Keras and of QKeras are saved,
read, run in this process and checked layer by layer, every fourth in a traced function. Cases are drawn in blocks, each
by a seed of its own; a block that OUT.jsonl holds is not run again, so an interrupted run goes on. A failure that
TensorFlow is known for is counted apart (refconv.testing.defects). Exit code 1 where anything else failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras, which QKeras imports, is Keras 2; `import keras` is Keras 3 still
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

from detection.lines import Row, append, read  # noqa: E402
from drawn.run import Block, run_block  # noqa: E402
from drawn.table import MODELS, STRATEGIES, Strategy  # noqa: E402

SIZE = {False: 100, True: 10}  # of a block of cases, of models


def plan(cases: int, models: int, seed: int, only: str = "") -> list[Block]:
    """All blocks: of every strategy its share of the cases, or of the models."""
    shares = [(STRATEGIES, cases), (MODELS, models)]
    return [
        block
        for table, count in shares
        for name, strategy in table.items()
        if only in name
        for block in _blocks(name, strategy, round(strategy.share * count), seed)
    ]


def _blocks(name: str, strategy: Strategy, count: int, seed: int) -> Iterator[Block]:
    size = SIZE[strategy.models]
    for number, start in enumerate(range(0, count, size)):
        yield Block(name, number, min(size, count - start), seed)


def run_all(blocks: Sequence[Block], path: Path) -> list[Row]:
    """The rows of the blocks, those that `path` does not hold yet run now."""
    done = {(row["strategy"], row["number"], row["seed"]): row for row in read(path)}
    for place, block in enumerate(blocks):
        if block.key not in done:
            row = done[block.key] = run_block(block)
            append(path, row)
            print(f"{place + 1:4} of {len(blocks)}  {_line(row)}", flush=True)
    return [done[block.key] for block in blocks]


def _line(row: Row) -> str:
    failed = f"  {len(row['failures'])} FAILED" if row["failures"] else ""
    return f"{row['strategy'][:34]:34} {row['cases']:5} cases, used {row['used']:.2f} {row['seconds']:7.1f} s{failed}"


def summarize(rows: Sequence[Row]) -> list[Row]:
    """One row per strategy, and one for all cases, and one for all models."""
    names = list(dict.fromkeys(row["strategy"] for row in rows))
    groups = {name: [row for row in rows if row["strategy"] == name] for name in names}
    for title, table in (("all cases", STRATEGIES), ("all models", MODELS)):
        if held := [row for row in rows if row["strategy"] in table]:
            groups[title] = held
    return [_summed(name, group) for name, group in groups.items()]


def _summed(name: str, rows: Sequence[Row]) -> Row:
    def added(field: str) -> dict[str, int]:
        return dict(sum((Counter(row[field]) for row in rows), Counter()))

    worst = max(rows, key=lambda row: row["used"])
    return {
        "strategy": name,
        "cases": sum(row["cases"] for row in rows),
        "layers": sum(row["layers"] for row in rows),
        "verdicts": added("verdicts"),
        "known": added("known"),
        "failures": sum(len(row["failures"]) for row in rows),
        "used": worst["used"],
        "where": worst["where"],
        "seconds": round(sum(row["seconds"] for row in rows), 1),
    }


def table(rows: Sequence[Row]) -> str:
    lines = [f"{'strategy':36}{'cases':>7}{'calls':>7}{'exact':>7}{'within':>7}{'vacuous':>8}{'known':>6}"
             f"{'failed':>7}{'used':>6}{'s':>8}  where"]  # fmt: skip
    for row in rows:
        of = Counter(row["verdicts"])
        lines.append(
            f"{row['strategy']:36}{row['cases']:7}{row['layers']:7}{of['exact']:7}{of['within']:7}{of['vacuous']:8}"
            f"{sum(row['known'].values()):6}{row['failures']:7}{row['used']:6.2f}{row['seconds']:8.1f}"
            f"  {row['where']}"
        )
    return "\n".join(lines)


def failures(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for failure in row["failures"]:
            again = f"--only '{row['strategy']}' --seed {row['seed']}, block {row['number']}"
            how = ", ".join(f"{k} {v}" for k, v in failure.items() if k not in ("case", "said"))
            yield f"{again}; {how}\n{failure['case']}\n{failure['said']}\n"


def main() -> None:
    options = _arguments().parse_args()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that functions are traced, case after case
    warnings.simplefilter("ignore")
    rows = run_all(plan(options.cases, options.models, options.seed, options.only), options.out)
    print("\n".join(failures(rows)))
    summary = summarize(rows)
    print(table(summary))
    known = sum((Counter(row["known"]) for row in rows), Counter())
    for reason, count in known.most_common():
        print(f"known, {count}: {reason}")
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, "rows": summary, "known": known}, indent=1))
    sys.exit(1 if any(row["failures"] for row in rows) else 0)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="rows, one line of JSON for each block")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="strategies with this in their name")
    parser.add_argument("--json", type=Path, help="the table")
    return parser


if __name__ == "__main__":
    main()
