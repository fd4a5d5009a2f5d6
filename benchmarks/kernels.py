"""refconv's loops beside what else computes them, on shapes of well-known networks.

    python benchmarks/kernels.py [--quick] [--only TEXT] [--batch 1] [--json FILE] [--markdown FILE]

All peers run in the same process, in turn, after a warm-up that also compares their results; figures are medians of
useful operations (2 a multiply-add), ± half the interquartile range. Peers are optional (`pip install refconv[bench]`);
those that are not installed are named. `--only` takes the layers whose name contains the text.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

from speed import summary  # noqa: E402
from speed.machine import described, machine  # noqa: E402
from speed.peers import PEERS, REFCONV  # noqa: E402
from speed.shapes import SHAPES, Shape  # noqa: E402
from speed.tables import Table, tell  # noqa: E402
from speed.timing import DGEMM, SIDE, Measured, measure  # noqa: E402

from refconv.primitives.memory import keep_freed  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    shapes = [shape for shape in SHAPES if options.only in shape.name]
    if not shapes:
        raise SystemExit(f"no layer's name contains {options.only!r}")
    rows = []
    for shape in shapes:
        rows.append((shape, measure(shape, options.batch, 2 if options.quick else 9)))
        print(f"{len(rows)} of {len(shapes)}: {shape.name}", file=sys.stderr)
    told = summary.as_json(rows, options.batch, machine())
    names = [peer.name for peer in PEERS if peer.there]
    table = Table(["GFLOP/s", "of dgemm", *names, DGEMM], [_cells(*row, names, options.batch) for row in rows])
    tell([table], _notes(told), told, options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds instead of nine")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args(arguments)


def _cells(shape: Shape, found: Mapping[str, Measured], names: list[str], batch: int) -> list[str]:
    """dgemm's column is the rate of its own matrices."""
    work = shape.operations(batch) / 1e9
    top = 2 * SIDE**3 / found[DGEMM].median / 1e9
    return [
        shape.name,
        f"{work / found[REFCONV].median / top:.0%}",
        *(_cell(found.get(n), work) for n in names),
        _cell(found[DGEMM], 2 * SIDE**3 / 1e9),
    ]


def _cell(found: Measured | None, work: float) -> str:
    if found is None:
        return "–"
    return f"{work / found.median:.1f} ±{(work / found.low - work / found.high) / 2:.1f}"


def _notes(told: Mapping) -> list[str]:
    figures = [f"{words}: {value:.2f}" for words, value in told["promised"].items() if value is not None]
    missing = summary.absent()
    return [
        *figures,
        *([f"not installed: {', '.join(missing)}"] if missing else []),
        f"batch {told['batch']}; {described(told['machine'])}",
    ]


if __name__ == "__main__":
    keep_freed()  # as `refconv check` does; it holds for all peers
    main()
