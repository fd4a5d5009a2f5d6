"""The result as JSON, described by check.schema.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from refconv import __version__
from refconv.report.text import in_json
from refconv.result import CheckResult, Comparison, Drift, Element, LayerResult, PlainResult, Power

SCHEMA = 1


def render(result: CheckResult) -> str:
    """The report as JSON text. Numbers that JSON lacks are the strings "inf", "-inf" and "nan"."""
    return in_json(json.dumps(standard(document(result)), indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def document(result: CheckResult) -> dict[str, Any]:
    """The report as dictionaries and lists."""
    return {
        "schema": SCHEMA,
        "refconv": __version__,
        "verdict": result.verdict,
        "model": asdict(result.model),
        "environment": dict(result.environment),
        "input": dict(result.input),
        "partial": result.partial,
        "policy": asdict(result.policy),
        "counts": result.counts,
        "layers": [_layer(layer) for layer in result.layers],
        "plain": _plain(result.plain) if result.plain else None,
        "quantized": [asdict(layer) for layer in result.quantized],
        "notes": list(result.notes),
        "seconds": result.seconds,
    }


def _layer(layer: LayerResult) -> dict[str, Any]:
    several = {"outputs": [_comparison(output) for output in layer.outputs]} if len(layer.outputs) > 1 else {}
    return {
        "index": layer.index,
        "name": layer.name,
        "path": layer.path,
        "type": layer.type,
        **_comparison(layer.worst),
        "output_shape": list(layer.shape) if layer.shape is not None else None,
        "verdict": layer.verdict.value,
        "arithmetic": layer.arithmetic or None,
        "reason": layer.reason,
        "nondeterministic": layer.nondeterministic,
        "chained": _drift(layer.chained) if layer.chained else None,
        "findings": [asdict(finding) for finding in layer.findings],
        "seconds": dict(layer.seconds),
        **several,
        **({"power": _power(layer.power)} if layer.power else {}),
        **_probe(layer),
        **({"weights": {name: _comparison(c) for name, c in layer.weights.items()}} if layer.weights else {}),
    }


def _probe(layer: LayerResult) -> dict[str, Any]:
    """The integer probe, or why there is none; nothing where none was asked for or the layer is not linear."""
    if layer.probe is None and not layer.probe_reason:
        return {}
    return {"probe": _comparison(layer.probe) if layer.probe else None, "probe_reason": layer.probe_reason}


def _comparison(output: Comparison | None) -> dict[str, Any]:
    """One output; of a layer that was not compared, the same names with null."""
    return {
        "output_shape": list(output.shape) if output else None,
        "verdict": output.verdict.value if output else None,
        "certified": output.certified if output else None,
        "max_abs_error": output.max_abs_error if output else None,
        "max_ulp_error": output.max_ulp_error if output else None,
        "bound_used": output.bound_used if output else None,
        "failing": output.failing if output else None,
        "explained": output.explained if output else None,
        "slope": output.slope if output else None,
        "accumulator_bits": output.accumulator_bits if output else None,
        "worst": _element(output.worst) if output and output.worst else None,
        **({"step": output.name} if output and output.name else {}),
    }


def _element(element: Element) -> dict[str, Any]:
    return {**asdict(element), "index": list(element.index)}


def _power(power: Power) -> dict[str, Any]:
    return {**asdict(power), "applicable": power.applicable}


def _drift(chained: Drift) -> dict[str, float]:
    return {"max_abs_error": chained.max_abs_error, "sqnr_db": chained.sqnr_db}


def _plain(plain: PlainResult) -> dict[str, Any]:
    return asdict(plain)


def standard(value: Any) -> Any:
    """`value` in JSON's own types, with text that every decoder takes."""
    if isinstance(value, Mapping):
        return {standard(str(name)): standard(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [standard(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
