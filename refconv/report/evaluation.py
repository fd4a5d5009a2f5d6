"""An evaluation for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from refconv import __version__
from refconv.report import summary
from refconv.report.json_report import standard
from refconv.report.terminal import ENDINGS, INDENT, STYLES
from refconv.report.text import error, pad, printable, seconds, share, shorten, size, width, wrap
from refconv.result import Verdict
from refconv.scoring.result import EvaluateResult, PredictionsResult, Reading, Score

SCHEMA = 1
HEAD = ("name", "framework", "NumPy", "allowed", "used", "verdict")
WIDEST_NAME = 28


def render(result: EvaluateResult, console: Console, *, quiet: bool = False) -> None:
    """Print the result; `quiet` the last line alone."""
    for line in [_last(result)] if quiet else _lines(result, console.width):
        console.print(line, soft_wrap=True, highlight=False)


def _lines(result: EvaluateResult, columns: int) -> Iterator[Text]:
    for text in _head(result):
        yield from map(Text, wrap(text, columns))
    yield Text()
    table = [HEAD, *(_cells(score) for score in result.scores)]
    widths = [max(width(row[i]) for row in table) for i in range(len(HEAD))]
    yield Text(_row(HEAD, widths), "bold")
    for score, cells in zip(result.scores, table[1:], strict=True):
        line = Text(_row(cells, widths))
        line.stylize(STYLES[score.verdict], line.plain.rindex(score.verdict.value))
        yield line
        for detail in _details(score, result.readings):
            yield from map(Text, wrap(detail, columns, INDENT))
    for found in result.predictions:
        line = Text(_predictions(found, len(result.predictions) > 1))
        line.highlight_words(["DIFFER"], "bold red")
        yield line
    yield Text()
    yield _last(result)
    if environment := summary.environment(result.environment):
        yield from map(Text, wrap(environment, columns, INDENT))


def _head(result: EvaluateResult) -> Iterator[str]:
    yield f"{result.path} (written by Keras {result.written_by or '?'}, run by Keras {result.keras})"
    number = f"{result.samples} sample" + "s" * (result.samples != 1)
    said = "the file says" if result.compiled_by == "file" else "the options say"
    yield f"{number}, batches of {result.batch}; loss and metrics as {said}"
    yield from (f"note: {note}" for note in result.notes)


def _cells(score: Score) -> tuple[str, ...]:
    name = shorten(printable(score.name), WIDEST_NAME)
    known = score.got is not None and score.value is not None
    return (
        name,
        _number(score.got),
        _number(score.value),
        _allowed(score),
        share(score.bound_used) if known else "",
        score.verdict.value,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def _allowed(score: Score) -> str:
    """ "±1.2e-07", or both ends where they are not as far away."""
    if score.value is None or score.low is None or score.high is None:
        return ""
    below, above = score.value - score.low, score.high - score.value
    if max(below, above) <= 1.5 * min(below, above) or max(below, above) < 1e-4:
        return f"±{error(max(below, above))}"
    return f"{score.low:.6g} … {score.high:.6g}"


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = [pad(cell, columns, right=0 < i < 5) for i, (cell, columns) in enumerate(zip(cells, widths, strict=True))]
    return "  ".join(padded).rstrip()


def _details(score: Score, found: tuple[Reading, ...]) -> Iterator[str]:
    resolved = f"{score.by} became {score.said} by the shapes" if score.by else score.said
    yield f"{resolved}: {score.counts}" if score.counts else resolved
    if score.reason:
        yield score.reason
    if score.verdict is Verdict.VACUOUS:
        yield "any value would have passed: the predictions of the classes tie within their bound"
    for reading in found:
        if score.name in (reading.name, f"{reading.output}_{reading.name}"):
            counts = f": {reading.counts}" if reading.counts else ""
            text = f"as {reading.said} it would be {reading.value:.6g}{counts}"
            yield f"{text}; {reading.note}" if reading.note else text


def _predictions(found: PredictionsResult, several: bool) -> str:
    name = f"predictions of {printable(found.output)}" if several else "predictions"
    said = "agree" if found.ok else "DIFFER: refconv check tells where"
    apart = f"max difference {error(found.max_abs_difference)}, {share(found.bound_used)} of the bound"
    return f"{name} ({size(found.shape)}): {said}, {apart}"


def _last(result: EvaluateResult) -> Text:
    counts = ", ".join(f"{n} {verdict}" for verdict, n in result.counts.items() if n) or "nothing was compared"
    pardon = (
        " (let pass by --allow-unverified)" if result.policy.allow_unverified and result.counts["unverified"] else ""
    )
    differ = "; predictions differ" if not all(p.ok for p in result.predictions) else ""
    head = result.verdict.upper()
    line = Text(f"{head}  {len(result.scores)} values: {counts}{pardon}{differ}; {seconds(result.seconds)}")
    line.stylize(ENDINGS[result.verdict], 0, len(head))
    return line


def as_json(result: EvaluateResult) -> str:
    """The same as JSON text. Numbers that JSON lacks are the strings "inf", "-inf" and "nan"."""
    return json.dumps(standard(document(result)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def document(result: EvaluateResult) -> dict[str, Any]:
    """The result as dictionaries and lists."""
    found = asdict(result)
    head = {"schema": SCHEMA, "refconv": __version__, "verdict": result.verdict, "counts": result.counts}
    found["scores"] = [{**asdict(s), "verdict": s.verdict.value, "bound_used": s.bound_used} for s in result.scores]
    found["predictions"] = [{**asdict(p), "ok": p.ok} for p in result.predictions]
    return {**head, **found, "environment": dict(result.environment)}
