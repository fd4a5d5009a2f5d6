"""The result for a person: one line per layer, what failed beneath it, and the verdict last."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from refconv.report import quantized, summary
from refconv.report.columns import Columns, cells, fit, header
from refconv.report.details import details
from refconv.report.text import error, share, wrap
from refconv.result import CheckResult, LayerResult, Verdict

QUIET, NORMAL, VERBOSE = -1, 0, 1

STYLES = {
    Verdict.MISMATCH: "bold red",
    Verdict.DEGRADED: "red",
    Verdict.SUSPECT: "yellow",
    Verdict.UNVERIFIED: "magenta",
    Verdict.VACUOUS: "cyan",
    Verdict.WITHIN: "green",
    Verdict.EXACT: "green",
}
ENDINGS = {"pass": "bold green", "fail": "bold red", "incomplete": "bold magenta"}
INDENT = "    "


def render(result: CheckResult, console: Console, verbosity: int = NORMAL) -> None:
    """Print the result: QUIET the last line alone, VERBOSE with drift, time and evidence for every layer."""
    if verbosity == QUIET:
        _print(console, _quiet(result))
        return
    for line in _lines(result, console.width, verbosity == VERBOSE):
        _print(console, line)


def _print(console: Console, line: Text) -> None:
    # Lines are broken here, where the indent is known; rich must neither wrap, crop nor colour them again.
    console.print(Text(_encodable(line.plain, console.encoding), spans=line.spans), soft_wrap=True, highlight=False)


def _encodable(text: str, encoding: str) -> str:
    """The text in characters that the console's encoding has; those before a styled word keep their number."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    return text


PLAIN = str.maketrans({"×": "x", "…": "~", "±": "+-"})


def _lines(result: CheckResult, columns: int, verbose: bool) -> Iterator[Text]:
    yield from _head(result, columns)
    head = header(result.layers)
    layout = fit([head, *map(cells, result.layers)], columns)
    if result.layers:
        yield Text(layout.line(head), "bold")
    for layer in result.layers:
        yield _row(layer, layout)
        for detail in details(layer, verbose):
            yield from map(Text, wrap(detail, columns, INDENT))
    yield from _plain(result, columns)
    yield Text()
    yield from _ending(result, columns)


def _head(result: CheckResult, columns: int) -> Iterator[Text]:
    for line in summary.about(result):
        yield from map(Text, wrap(line, columns))
    for line in quantized.lines(result.quantized):
        yield from map(Text, wrap(line, columns, hang=INDENT))
    yield Text()


def _row(layer: LayerResult, layout: Columns) -> Text:
    line = Text(layout.line(cells(layer)))
    verdict = layer.verdict.value
    start = line.plain.rindex(verdict)
    line.stylize(STYLES[layer.verdict], start, start + len(verdict))
    return line


def _plain(result: CheckResult, columns: int) -> Iterator[Text]:
    plain = result.plain
    if plain is None:
        return
    said = "agrees" if plain.ok else "DIFFERS"
    used = f"max difference {error(plain.max_abs_difference)}, {share(plain.bound_used)} of its bound"
    for line in map(Text, wrap(f"predict, not recorded: {said}, {used}", columns)):
        line.highlight_words(["DIFFERS"], "bold red")
        yield line
    if plain.reason:
        yield from map(Text, wrap(plain.reason, columns, INDENT))


def _ending(result: CheckResult, columns: int) -> Iterator[Text]:
    head = summary.headline(result)
    lines = wrap(f"{head}  {summary.counts(result)}", columns, hang=INDENT)
    if found := summary.environment(result.environment):
        lines += wrap(found, columns, INDENT)
    yield _styled(lines[0], head, result.verdict)
    yield from map(Text, lines[1:])


def _quiet(result: CheckResult) -> Text:
    parts = [summary.counts(result), summary.environment(result.environment)]
    head = summary.headline(result)
    return _styled(f"{head}  " + "; ".join(filter(None, parts)), head, result.verdict)


def _styled(line: str, head: str, verdict: str) -> Text:
    text = Text(line)
    text.stylize(ENDINGS[verdict], 0, len(head))
    return text
