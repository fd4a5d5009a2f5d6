"""An explanation, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

from refconv.diagnose.words import amount, times
from refconv.report.text import printable, size, wrap
from refconv.result import Explanation, Finding, Verdict


def render(found: Explanation, columns: int = 100, *, verbose: bool = False) -> str:
    """The verdict first, then findings, each with its evidence, what to do, and the command that shows it again."""
    lines = [f"{printable(found.layer)}  {printable(found.type)}  {_size(found)}".rstrip()]
    lines += wrap(_verdict(found), columns, hang="    ")
    for note in found.notes:
        lines += wrap(f"note: {note}", columns, hang="    ")
    for finding in found.findings:
        lines += ["", *_finding(finding, columns, verbose)]
    commands = dict.fromkeys(finding.command for finding in found.findings if finding.command)
    if commands:
        lines += ["", "again:", *(f"    {printable(command)}" for command in commands)]
    return "\n".join(lines) + "\n"


def _size(found: Explanation) -> str:
    return f"output {size(found.shape)}" if found.shape else ""


def _verdict(found: Explanation) -> str:
    if found.verdict is Verdict.UNVERIFIED:
        return f"cannot be told: {found.reason}"
    if found.agrees:
        bits = "to the last bit" if found.verdict is Verdict.EXACT else f"largest error {_amount(found)}"
        return f"AGREES with the model: {found.observed}; {bits}"
    where = f" at [{','.join(map(str, found.index))}]" if found.index else ""
    said = "DIFFERS from the model" if found.verdict is Verdict.MISMATCH else f"{found.verdict.value.upper()}"
    return f"{said}: {found.observed}; largest error {_amount(found)}{where}"


def _amount(found: Explanation) -> str:
    return amount(found.error, found.used) if isfinite(found.error) else "without limit"


def _finding(finding: Finding, columns: int, verbose: bool) -> Iterator[str]:
    yield from wrap(f"{finding.code}  {finding.title}", columns, hang="    ")
    for said in filter(None, (finding.evidence, finding.fix)):
        yield from wrap(said, columns, indent="    ", hang="    ")
    if finding.line:
        yield f"        {printable(finding.line)}"
    for tried in finding.tried if verbose else finding.tried[:3]:
        yield from wrap(f"not {tried.code} {tried.name}: leaves {times(tried.left)}", columns, indent="    ")


def as_json(found: Explanation) -> str:
    """All of it; numbers that are not finite as text."""
    document = {
        "schema": 1,
        **_finite(asdict(found)),
        "verdict": found.verdict.value,
        "agrees": found.agrees,
        "exit_code": found.exit_code,
    }
    return json.dumps(document, indent=1) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
