"""`refconv check` over all of keras.applications: how many layers of each model are verified.

    python benchmarks/zoo.py [--only GLOB …] [--skip GLOB …] [--input-size N] [--samples 1] [--json FILE]
                             [--markdown FILE] [--keep DIR]

Each model is made with random weights (scripts/make_zoo.py) in a temporary folder, checked by the command that a user
would type, and deleted, so that memory and disk hold one at a time. With --json, models that the file already has are
not checked again: an interrupted run goes on where it stopped. Exit status 1 if any model does not pass.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(Path(__file__).parent)]

from speed.machine import machine  # noqa: E402
from speed.watched import watched  # noqa: E402

CHECK = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from refconv.cli import main; main()"
HEADS = ("model", "input", "layers", "verified", "exact", "within", "unverified", "verdict", "seconds", "peak MB")
SIZE = 224  # where a model takes any


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    found = json.loads(options.json.read_text())["models"] if options.json and options.json.exists() else []
    wanted = selected(options.only, options.skip)
    waiting = [name for name in wanted if name not in {row["model"] for row in found}]
    for number, row in enumerate(rows(waiting, options), start=1):
        found.append(row)
        print(f"{number} of {len(waiting)}: {' '.join(cells(row))}", file=sys.stderr, flush=True)
        for line in row["problems"]:
            print(f"    {line}", file=sys.stderr, flush=True)
        if options.json:
            options.json.write_text(json.dumps({"machine": machine(), "models": found}, indent=1) + "\n")
    found = sorted((row for row in found if row["model"] in wanted), key=lambda row: row["model"])
    print(text := markdown(found))
    if options.markdown:
        options.markdown.write_text(text + "\n")
    return int(any(row["verdict"] != "pass" for row in found) or len(found) < len(wanted))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="GLOB")
    parser.add_argument("--skip", action="append", default=[], metavar="GLOB")
    parser.add_argument("--input-size", type=int, metavar="N", help="instead of the model's own")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=7200.0, metavar="SECONDS", help="for one model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the models and reports are left")
    return parser.parse_args(arguments)


def selected(only: Sequence[str] | None, skip: Sequence[str]) -> list[str]:
    """Constructors whose names match."""
    import make_zoo

    chosen = [n for n in make_zoo.NAMES if any(fnmatch(n, glob) for glob in only or ["*"])]
    return [name for name in chosen if not any(fnmatch(name, glob) for glob in skip)]


def rows(names: Sequence[str], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row per model, as it is known."""
    for name in names:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            yield check(name, options.keep or folder, folder, options)


def check(name: str, models: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make one model and check it, each in a process of its own."""
    size = ["--input-size", str(options.input_size)] if options.input_size else []
    made = watched(
        [sys.executable, str(ROOT / "scripts" / "make_zoo.py"), name, "-o", str(models), *size],
        options.timeout,
        folder,
    )
    if made.status:
        return row(name, "", {}, [f"could not be made: {last(made.errors)}"], made.seconds, made.peak)
    report = models / f"{name}.json"
    wanted = [options.input_size or SIZE if n is None else n for n in sizes(models / f"{name}.keras")]
    shape = ["--shape", ",".join(map(str, wanted))]
    command = [sys.executable, "-c", CHECK, "check", str(models / f"{name}.keras"), "--no-progress", "-q"]
    ran = watched(
        [*command, "--samples", str(options.samples), "--json", str(report), *shape,
         "--timeout", str(options.timeout)],
        options.timeout,
        folder,
    )  # fmt: skip
    if not report.exists():
        return row(name, shape[1], {}, [f"no report: {last(ran.errors)}"], ran.seconds, ran.peak)
    result = json.loads(report.read_text())
    return row(name, "×".join(map(str, wanted)), result, problems(result), ran.seconds, ran.peak)


def sizes(path: Path) -> tuple[int | None, ...]:
    """The model's input without the batch; None where the file leaves it open."""
    from refconv import load

    return load(path).specs[0].shape[1:]


def last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def problems(result: dict[str, Any]) -> list[str]:
    """What does not pass, by layer."""
    layers = [f"{one['name']} ({one['type']}): {one['verdict']} {one['reason']}" for one in result["layers"]
              if one["verdict"] not in ("exact", "within")]  # fmt: skip
    plain = result["plain"]
    return [*layers, *([f"predict: {plain['reason']}"] if plain and not plain["ok"] else [])]


def row(name: str, shape: str, result: dict[str, Any], why: list[str], seconds: float, peak: float) -> dict[str, Any]:
    counts = result.get("counts", {})
    named = {head: counts.get(head, 0) for head in ("layers", "verified", "exact", "within", "vacuous", "unverified")}
    return {
        "model": name,
        **named,
        "verdict": result.get("verdict", "none"),
        "problems": why,
        "input": shape,
        "seconds": round(seconds, 1),
        "peak MB": round(peak),
    }


def cells(row: dict[str, Any]) -> list[str]:
    return [str(row[head]) for head in HEADS]


def markdown(found: Sequence[dict[str, Any]]) -> str:
    """The table, and how many passed."""
    lines = [list(HEADS), ["---", "---", *["--:"] * 5, "---", "--:", "--:"], *map(cells, found)]
    passed = sum(row["verdict"] == "pass" for row in found)
    layers, verified = (sum(row[head] for row in found) for head in ("layers", "verified"))
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n{passed} of {len(found)} models pass; {verified} of {layers} layers are verified"


if __name__ == "__main__":
    sys.exit(main())
