"""What a reduction found, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from refconv import __version__
from refconv.pipeline.reducing.result import Reduced, Saved
from refconv.report import pixel, summary
from refconv.report.details import details
from refconv.report.json_report import standard
from refconv.report.reduction.issue import environment
from refconv.report.text import error, in_json, pair, printable, seconds, wrap

INDENT = "    "


def render(found: Reduced, columns: int = 100, folder: str = "") -> str:
    """The layer that fails, what it was reduced to, the worst element by hand, and what was written."""
    lines: list[str] = []
    for said in _lines(found, folder):
        lines += wrap(said, columns, hang=INDENT) if not said.startswith(INDENT) else [printable(said)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _lines(found: Reduced, folder: str) -> Iterator[str]:
    layer, case = found.layer, found.case
    if layer is not None:
        yield f"{layer.name}  {layer.type}  {layer.verdict.value}"
        yield from (f"{INDENT}{line}" for line in details(layer, verbose=False))
    elif found.check.plain is not None and not found.check.plain.ok:
        yield "predict, not recorded: DIFFERS"
    yield from (f"note: {note}" for note in found.notes)
    if case is None:
        yield _ending(found)
        return
    yield ""
    if found.scope == "layer":
        before, after = found.sizes
        yield f"from {before}"
        yield f"to {after}" if after != before else "to the same: nothing could be left out"
    yield from _worst(case)
    if found.pixel is not None:
        yield ""
        yield from (f"{INDENT}{line}" for line in pixel.render(found.pixel).splitlines())
    yield ""
    yield _ending(found)
    yield f"{INDENT}{summary.environment(case.environment)}"
    if folder:
        yield f"{folder}: {', '.join(found.files)}"
        yield f"{INDENT}python {folder}/reproduce.py"


def _worst(case: Saved) -> Iterator[str]:
    at = case.index
    if case.got.shape != case.expected.shape:
        yield f"the framework's output has shape {case.got.shape}, expected {case.expected.shape}"
        return
    expected, got = pair(float(case.expected[at]), float(case.got[at]))
    where = "[" + ",".join(map(str, at)) + "]"
    yield f"at {where} expected {expected} got {got} allowed ±{error(float(case.allowed[at]))}"


def _ending(found: Reduced) -> str:
    took = f"{found.cases} cases were run; {seconds(found.seconds)}"
    if found.case is None:
        said = {0: "NOTHING TO REDUCE  every layer agrees", 3: "NOT REDUCED  no case could be saved"}[found.exit_code]
        if found.exit_code == 3 and found.check.verdict != "fail":
            said = "INCOMPLETE  nothing fails, and not everything could be verified"
        return f"{said}; {summary.counts(found.check)}"
    if found.scope != "layer":
        return f"REDUCED  to a part of the model; {took}"
    share = f"from {found.before} to {found.after} numbers"
    return f"REDUCED  {share}; {took}" + ("" if found.complete else "; time ended the search (--seconds)")


def as_json(found: Reduced, folder: str = "") -> str:
    """All of it but the arrays, which the folder holds."""
    layer, case = found.layer, found.case
    document = {
        "schema": 1,
        "refconv": __version__,
        "exit_code": found.exit_code,
        "verdict": found.check.verdict,
        "model": asdict(found.check.model),
        "layer": layer and {"name": layer.name, "type": layer.type, "verdict": layer.verdict.value,
                            "findings": [asdict(finding) for finding in layer.findings]},
        "scope": found.scope if case else None,
        "case": case and _case(case),
        "numbers": {"before": found.before, "after": found.after},
        "sizes": {"before": found.sizes[0], "after": found.sizes[1]},
        "cases": found.cases,
        "complete": found.complete,
        "notes": list(found.notes),
        "folder": folder,
        "files": list(found.files),
        "environment": environment(case.environment) if case else [],
        "seconds": found.seconds,
    }  # fmt: skip
    return in_json(json.dumps(standard(document), indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def _case(case: Saved) -> dict[str, Any]:
    same, at = case.got.shape == case.expected.shape, case.index
    return {
        "inputs": [list(x.shape) for x in case.inputs],
        "output_shape": list(case.got.shape),
        "expected_shape": list(case.expected.shape),
        "index": list(at),
        "got": float(case.got[at]) if same else None,
        "expected": float(case.expected[at]) if same else None,
        "allowed": float(case.allowed[at]) if same else None,
        "keras": case.keras,
        "mode": case.mode,
    }
