"""The result as one page for a browser: it needs no network, and no JavaScript to be read."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from refconv import __version__
from refconv.report import quantized, summary, svg, templates
from refconv.report.details import details
from refconv.report.text import decibel, error, share
from refconv.result import FAILING, CheckResult, Comparison, Finding, LayerResult, Verdict

ATTENTION = (*FAILING, Verdict.UNVERIFIED, Verdict.VACUOUS)


@dataclass(frozen=True)
class Row:
    """One layer as the table shows it: what is said in each column, and what the column is sorted by."""

    layer: LayerResult
    number: int
    error: str
    used: str
    width: int  # of the bar behind the share, in per cent
    drift: str
    power: str
    time: str
    keys: Mapping[str, float]
    details: tuple[str, ...]
    failed: bool


def render(result: CheckResult, command: str = "") -> str:
    """The page as HTML; `command` is what runs the same check again."""
    style, script = templates.part("style.css"), templates.part("script.js")
    rows = [_row(number, layer) for number, layer in enumerate(result.layers, 1)]
    return templates.page(
        "check.html.j2",
        result=result,
        rows=rows,
        shown=_columns(rows),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        headline=summary.headline(result),
        counts=summary.counts(result),
        machine=summary.environment(result.environment),
        head=list(summary.about(result)),
        quantized=list(quantized.lines(result.quantized)),
        groups=list(_groups(result)),
        findings=[(layer, finding) for layer in result.layers for finding in layer.findings],
        said=_said,
        compared=_compared,
        strip=svg.strip,
        error_map=svg.error_map,
        map_words=svg.map_words,
        used=svg.used(result.layers),
        drift=svg.drift(result.layers),
        histogram=svg.histogram(result.spread) if result.spread else "",
        legend=list(svg.legend()),
        environment=list(_flat(result.environment)),
        command=command,
        version=__version__,
        verdicts=[v.value for v in Verdict if any(layer.verdict is v for layer in result.layers)],
    )


def _policy(script: str) -> str:
    """Content Security Policy: nothing is fetched, and no script runs but the page's own."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _row(number: int, layer: LayerResult) -> Row:
    worst, chained, power = layer.worst, layer.chained, layer.power
    used = worst.bound_used if worst else math.nan
    seconds = sum(layer.seconds.values())
    return Row(
        layer=layer,
        number=number,
        error=error(worst.max_abs_error) if worst else "–",
        used=("bits" if worst.certified and not used else share(used)) if worst else "–",
        width=round(100 * min(used, 1.0)) if used > 0 else 0,
        drift=("equal" if chained.sqnr_db == math.inf else decibel(chained.sqnr_db)) if chained else "–",
        power=f"{len(power.caught)}/{power.applicable}" if power else "–",
        time=f"{seconds:.3f} s" if layer.seconds else "–",
        keys={
            "error": _key(worst.max_abs_error if worst else None),
            "used": _key(used if worst else None),
            "drift": _key(chained.sqnr_db if chained else None),
            "power": _key(len(power.caught) / power.applicable if power and power.applicable else None),
            "time": _key(seconds if layer.seconds else None),
            "verdict": layer.verdict.severity,
            "output": math.prod(layer.shape or ()),
        },
        details=tuple(details(layer, verbose=True)),
        failed=layer.verdict in FAILING,
    )


def _key(value: float | None) -> float:
    """A number that JavaScript reads: what is not known sorts first, NaN and infinity last."""
    if value is None:
        return -1e308
    return max(min(value, 1e307), -1e307) if value == value else 1e308


def _columns(rows: list[Row]) -> dict[str, str]:
    """The columns by what they are sorted by, and their titles; what was measured of no layer has none."""
    names = {"number": "#", "name": "layer", "type": "type", "output": "output", "error": "error", "used": "bound"}
    drift = {"drift": "drift"} if any(row.layer.chained for row in rows) else {}
    power = {"power": "power"} if any(row.layer.power for row in rows) else {}
    return names | drift | power | {"verdict": "verdict"}


def _groups(result: CheckResult) -> Iterator[tuple[Verdict, str, list[LayerResult]]]:
    """Layers that did not agree, those with one verdict and one reason together, the gravest first."""
    for verdict in ATTENTION:
        found: dict[str, list[LayerResult]] = {}
        for layer in result.layers:
            if layer.verdict is verdict:
                found.setdefault(_reason(layer), []).append(layer)
        yield from ((verdict, reason, layers) for reason, layers in found.items())


def _reason(layer: LayerResult) -> str:
    """The layer's reason, else where it is worst."""
    return layer.reason or next(iter(details(layer, verbose=False)), "")


LABELS = {
    "line": "code that does it right",
    "before": "largest error, times the bound",
    "after": "with the change, times the bound",
    "command": "to see it again",
    "tried": "excluded, with the error that is left, times the bound",
}


def _said(finding: Finding) -> Iterator[tuple[str, str]]:
    """What a finding says beneath its title, by what its fields are called; one that says nothing is left out."""
    for name, value in _values(finding):
        if name not in ("code", "title") and value not in (None, "", ()):
            yield LABELS.get(name, name.replace("_", " ")), _words(value)


def _values(found: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(found, field.name)) for field in fields(found)]


def _words(value: Any) -> str:
    """A field as text: numbers in three digits, several things one a line."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple):
        return "\n".join(map(_words, value))
    return " ".join(_words(part) for _, part in _values(value)) if is_dataclass(value) else str(value)


def _flat(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested names joined by dots, with their values as text."""
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                yield from _flat({str(number): item}, f"{before}{name}.")
        else:
            yield f"{before}{name}", value if isinstance(value, str) else json.dumps(value, default=str)


def _compared(layer: LayerResult) -> list[tuple[str, Comparison]]:
    """The outputs of a layer whose errors were looked at, by what they are called."""
    found = [(number, output) for number, output in enumerate(layer.outputs) if output.spread]
    return [(f"output {number}" if len(layer.outputs) > 1 else "", output) for number, output in found]
