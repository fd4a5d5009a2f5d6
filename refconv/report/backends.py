"""Several backends side by side: a line per layer, what differs between them, and each one's last line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from refconv import __version__
from refconv.report import json_report, summary, terminal
from refconv.report.columns import cells
from refconv.report.details import details
from refconv.report.text import error, in_json, pad, width, wrap
from refconv.result import FAILING, BackendsResult, LayerResult, Verdict

INDENT = "    "
LAYER, TYPE, OUTPUT, BOUND, VERDICT = 0, 1, 2, 4, 6  # of a layer's cells


def render(result: BackendsResult, console: Console, verbosity: int = terminal.NORMAL) -> None:
    """Print the table; QUIET the last lines alone, VERBOSE with evidence for every layer."""
    lines = _endings(result) if verbosity == terminal.QUIET else _lines(result, verbosity == terminal.VERBOSE)
    for line in lines:
        for part in wrap(line, console.width, _hang(line)):
            terminal.print_line(console, Text(part))


def _hang(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _lines(result: BackendsResult, verbose: bool) -> Iterator[str]:
    yield from list(summary.about(result.first))
    yield ""
    head = _header(result)
    rows = [_row(result, index) for index in result.indices]
    widths = [max(width(row[column]) for row in [head, *rows]) for column in range(len(head))]
    yield _joined(head, widths)
    for index, row in zip(result.indices, rows, strict=True):
        yield _joined(row, widths)
        for backend, layer in result.layer(index).items():
            if verbose or layer.verdict in FAILING:
                yield from (f"{INDENT}{backend}: {line}" for line in details(layer, verbose))
    yield from _plain(result)
    yield ""
    yield from _said(result)
    yield from _endings(result)


def _header(result: BackendsResult) -> list[str]:
    each = [cell for backend in result.results for cell in (backend, "")]
    return ["layer", "type", "output", *each, *(_apart_head(result))]


def _apart_head(result: BackendsResult) -> list[str]:
    return ["apart"] if len(result.apart) == 1 else [f"{backend} apart" for backend in result.apart]


def _row(result: BackendsResult, index: int) -> list[str]:
    layers = result.layer(index)
    first = cells(next(iter(layers.values())))
    row = [first[LAYER], first[TYPE], first[OUTPUT]]
    for backend in result.results:
        row += _verdict(layers.get(backend))
    return [*row, *(_distance(apart.get(index)) for apart in result.apart.values())]


def _verdict(layer: LayerResult | None) -> list[str]:
    if layer is None:
        return ["-", "-"]
    found = cells(layer)
    return [found[BOUND], found[VERDICT]]


def _distance(apart: float | None) -> str:
    return "-" if apart is None else error(apart)


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = range(3, len(row), 2)
    last = range(3 + 2 * ((len(row) - 3) // 2), len(row))
    padded = (pad(c, w, right=n in numbers or n in last) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
    return "  ".join(padded).rstrip()


def _plain(result: BackendsResult) -> Iterator[str]:
    for backend, each in result.results.items():
        if each.plain is not None and not each.plain.ok:
            yield f"predict on {backend}, not recorded: DIFFERS, max difference {error(each.plain.max_abs_difference)}"


def _said(result: BackendsResult) -> Iterator[str]:
    """Which layers differ between the backends, and which from the reference on all of them."""
    if not result.differing and not result.failing:
        yield f"no layer differs between them: {_alike(result)}"
    for index in result.differing:
        layers = result.layer(index)
        said = ", ".join(f"{layer.verdict.value} on {backend}" for backend, layer in layers.items())
        yield f"{next(iter(layers.values())).name} differs between them: {said}"
    for index in (i for i in result.failing if i not in result.differing):
        layers = result.layer(index)
        where = "all of them" if len(layers) == len(result.results) else ", ".join(layers)
        yield f"{next(iter(layers.values())).name} differs from the reference on {where}"


def _alike(result: BackendsResult) -> str:
    """What that is worth: a layer that was not verified everywhere tells nothing."""
    each = [result.layer(index) for index in result.indices]
    known = [
        layers
        for layers in each
        if len(layers) == len(result.results) and Verdict.UNVERIFIED not in [la.verdict for la in layers.values()]
    ]
    if len(known) == len(each):
        return "each lies inside the bound of the same reference on every backend"
    return (
        f"{len(known)} of {len(each)} lie inside the bound of the same reference on every backend, the others are open"
    )


def _endings(result: BackendsResult) -> Iterator[str]:
    for backend, each in result.results.items():
        yield f"{summary.headline(each)}  {backend}: {summary.counts(each)}"
        yield INDENT + summary.environment(each.environment)


def as_json(result: BackendsResult) -> str:
    """Each backend's report as `check --json` writes it, and what is between them."""
    document: dict[str, Any] = {
        "schema": json_report.SCHEMA,
        "refconv": __version__,
        "verdict": result.verdict,
        "backends": {backend: json_report.document(each) for backend, each in result.results.items()},
        "between": {
            "first": next(iter(result.results)),
            "layers": [
                {
                    "index": index,
                    "name": next(iter(result.layer(index).values())).name,
                    "differ": index in result.differing,
                    "max_abs_difference": {backend: apart.get(index) for backend, apart in result.apart.items()},
                }
                for index in result.indices
            ],
        },
    }
    text = json.dumps(json_report.standard(document), indent=1, ensure_ascii=False, allow_nan=False)
    return in_json(text) + "\n"
