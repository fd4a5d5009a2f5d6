"""The figure of merit of the rules: planted faults, and which rule is said to explain them.

    python benchmarks/diagnosis.py [MODEL …] [--layers N] [--seed 0] [--json FILE] [--out FOLDER]

Without MODEL: the shipped samples, every model of the folder that REFCONV_MODELS names, and the two small ones that
benchmarks/faults.py makes. Faults are those of benchmarks/faults.py that a rule describes (diagnosing/described.py says
which, and why not the others), and some of rules that none of those describes; one at a time, at every layer where it
applies and changes a bit. Each is asked of the rules as `refconv check` asks.

Printed: the confusion table (operator × rule that came first); how often the true rule is among those reported, and how
often it came first; what was reported of clean layers; rules that never fired.

**How it is counted.** A fault that the check does not find has nothing to explain, and is counted apart. Where the rule
that came first gives the same values as the true one, to the last bit, the layer cannot tell them apart (a kernel of
1×1 in another order of axes; two biases that are equal): "first" then counts the true rule if it is reported too; the
number of such ties is printed.

The rows of each model are written to FOLDER when they are complete, and what is there is not asked again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # as benchmarks/faults.py does
HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "tests"), str(HERE.parent)]

from detection.made import made  # noqa: E402
from detection.models import Model, all_models, named  # noqa: E402
from detection.operators.base import Operator  # noqa: E402
from diagnosing.asked import CLEAN, ask  # noqa: E402
from diagnosing.described import operators  # noqa: E402

from refconv.diagnose.rules.table import RULES  # noqa: E402

Row = dict[str, Any]


def main() -> None:
    options = _arguments().parse_args()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for model in _models(options):
        named_ones = "".join(f"-{name}" for name in sorted(options.operator)).replace(" ", "_")
        path = (
            options.out
            / f"rows{named_ones}-{model.label.replace('/', '_')}-{options.seed}-{options.layers or 'all'}.json"
        )
        if not path.exists():
            started = time.perf_counter()
            how = {"seed": options.seed, "mode": "graph", "samples": options.samples, "layers": options.layers}
            found = list(ask(model, _operators(options.operator), **how))
            path.write_text(json.dumps(found))
            print(f"{model.label[:44]:44} {len(found):5} asked, {time.perf_counter() - started:6.1f} s", flush=True)
        rows += json.loads(path.read_text())
    found = summary(rows)
    print(text(found))
    if options.json:
        options.json.write_text(json.dumps({"summary": found, "rows": rows}, indent=1, default=str))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--layers", type=int, help="at most so many layers of one type in a model")
    parser.add_argument("--operator", action="append", default=[], help="only these faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--out", type=Path, default=Path("diagnosis-out"), help="of rows, which are kept")
    return parser


def _operators(names: Sequence[str]) -> list[tuple[Operator, str]]:
    return [(operator, code) for operator, code in operators() if not names or operator.name in names]


def _models(options: argparse.Namespace) -> list[Model]:
    return named(options.models) if options.models else [*all_models(), *named(made(options.out / "made"))]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The counts and rates of all rows."""
    clean = [row for row in rows if row["operator"] == CLEAN]
    asked = [row for row in rows if row["operator"] != CLEAN and row["failed"]]
    reported = [row for row in asked if row["truth"] in row["codes"]]
    strict = [row for row in reported if row["codes"][0] == row["truth"]]
    tied = [row for row in reported if row["tied"]]
    confusion = {name: Counter(_first(row) for row in asked if row["operator"] == name) for name in _names(asked)}
    fired = {row["truth"] for row in reported}
    return {
        "clean layers": len(clean),
        "false findings": sum(bool(row["codes"]) for row in clean),
        "faults": len(asked),
        "not found by the check": sum(not row["failed"] for row in rows if row["operator"] != CLEAN),
        "reported": len(reported),
        "first": len(strict) + len(tied),
        "first, without ties": len(strict),
        "ties": len(tied),
        "reported rate": len(reported) / max(len(asked), 1),
        "first rate": (len(strict) + len(tied)) / max(len(asked), 1),
        "never fired": [rule.code for rule in RULES if rule.code < "RC400" and rule.code not in fired],
        "slowest, seconds": max((row["seconds"] for row in rows), default=0.0),
        "confusion": {name: {"truth": _truth(asked, name), **found} for name, found in confusion.items()},
    }


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["operator"] for row in rows))


def _truth(rows: Sequence[Row], name: str) -> str:
    return "/".join(sorted({row["truth"] for row in rows if row["operator"] == name}))


def _first(row: Row) -> str:
    return row["codes"][0] if row["codes"] else "none"


def text(found: dict[str, Any]) -> str:
    """The summary as a person reads it."""
    lines = ["", f"{'fault':32} {'described by':14} came first"]
    for name, row in found["confusion"].items():
        counts = ", ".join(f"{code} {n}" for code, n in sorted(row.items(), key=_most) if code != "truth")
        lines.append(f"{name:32} {row['truth']:14} {counts}")
    told = (
        f"{found['faults']} faults (and {found['not found by the check']} that the check does not find):",
        f"  the true rule is reported of {found['reported']} ({found['reported rate']:.2%}),",
        f"  comes first of {found['first']} ({found['first rate']:.2%}), {found['ties']} of them tied",
        f"{found['clean layers']} clean layers: {found['false findings']} findings",
        f"never fired: {', '.join(found['never fired']) or 'none'}; slowest {found['slowest, seconds']:.1f} s",
    )
    return "\n".join([*lines, "", *told])


def _most(item: tuple[str, Any]) -> tuple[int, str]:
    return (0 if isinstance(item[1], str) else -item[1], item[0])


if __name__ == "__main__":
    main()
