"""What was captured, for a person and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from refconv import __version__
from refconv.report import summary
from refconv.report.json_report import standard
from refconv.report.text import in_json, printable, seconds
from refconv.result import Captured

SCHEMA = 1


def text(found: Captured, *, quiet: bool = False) -> str:
    """A few lines; the last one says where it is, or only that one."""
    lines = list(_lines(found))
    return "\n".join(map(printable, lines[-1:] if quiet else lines)) + "\n"


def _lines(found: Captured) -> Iterator[str]:
    model, slices = found.model, f", {found.slices} slices" if found.slices > 1 else ""
    yield f"{model.path} ({model.format}, Keras {model.keras_version or '?'}, {model.backend})"
    yield f"{summary.fed(found.input)}{slices}; {summary.mode(found.environment)}"
    yield from (f"note: {note}" for note in found.input["notes"])
    yield f"    {summary.environment(found.environment)}"
    if found.failure:
        yield f"note: {found.failure}; what came before it was captured"
    layers = f"{found.layers} layer" + "s" * (found.layers != 1)
    yield f"captured: {found.path}, {layers}, {found.size:,} bytes; {seconds(found.seconds)}"


def document(found: Captured) -> dict[str, Any]:
    """As dictionaries and lists."""
    model = found.model
    return {
        "schema": SCHEMA,
        "refconv": __version__,
        "trace": found.path,
        "bytes": found.size,
        "model": {
            "path": model.path,
            "format": model.format,
            "keras_version": model.keras_version,
            "backend": model.backend,
            "sha256": model.sha256,
        },
        "environment": dict(found.environment),
        "input": dict(found.input),
        "layers": found.layers,
        "slices": found.slices,
        "failure": found.failure,
        "seconds": found.seconds,
    }


def json_text(found: Captured) -> str:
    return in_json(json.dumps(standard(document(found)), indent=1, ensure_ascii=False, allow_nan=False)) + "\n"
