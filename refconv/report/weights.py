"""Weights for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from refconv.inventory.streams import ends
from refconv.inventory.weights import LayerWeight, LayerWeights
from refconv.report.text import error, printable, size

SHOWN = 16  # values of a side up to which a channel is printed whole


def listing(found: Mapping[str, LayerWeights]) -> str:
    """Every layer: name, shape, trainable, stored range, and what its quantizer makes of it."""
    lines: list[str] = []
    for layer in found.values():
        lines.append(f"{printable(layer.layer)}  {printable(layer.type)}")
        for weight in layer.values():
            lines += [f"    {printable(line)}" for line in _summary(weight)]
    return "\n".join(lines or ["no layer has weights"]) + "\n"


def _summary(w: LayerWeight) -> Iterator[str]:
    kept = "trainable" if w.trainable else "not trainable"
    stored = "computed from other weights" if w.weight is None else f"stored {_range(ends(w.weight))}"
    yield f"{w.name}  {size(w.shape)}  {kept}  {stored}"
    if w.quantizer:
        yield f"  quantizer: {w.quantizer}"
    if w.slot is not None:
        yield f"  effective {_range(w.effective)}, {len(np.unique(w.effective))} distinct{_scale(w)}"
        yield f"  largest change {error(w.largest_change)}{_saturated(w)}"


def _scale(w: LayerWeight) -> str:
    return f", scale {_range(np.asarray(w.scale))}" if w.scale is not None and np.any(w.scale) else ""


def _saturated(w: LayerWeight) -> str:
    return "" if w.saturated is None else f", {100 * w.saturated:.3g} % saturate"


def _range(values: np.ndarray) -> str:
    if not values.size:
        return "empty"
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.6g}" if low == high else f"{low:.6g} … {high:.6g}"


def channel(layer: LayerWeights, *, codes: bool) -> str:
    """The first output channel of the layer's kernel, stored beside effective; with `codes`, integers and scale too."""
    weight = next(iter(layer.values()))
    lines = [
        f"{printable(layer.layer)}  {printable(layer.type)}",
        *(f"    {printable(line)}" for line in _summary(weight)),
    ]
    columns = {"stored": weight.stored, "effective": weight.effective}
    if codes and weight.codes is not None:
        columns |= {"code": weight.codes, "scale": np.broadcast_to(np.asarray(weight.scale), weight.codes.shape)}
    taken = {name: _first_channel(values) for name, values in columns.items() if values is not None}
    count = len(next(iter(taken.values())))
    lines += ["", f"first channel of {printable(weight.name)}, {min(count, SHOWN * SHOWN)} of {count} values:"]
    lines.append("".join(f"{name:>14}" for name in taken))
    for row in range(min(count, SHOWN * SHOWN)):
        lines.append("".join(f"{values[row]:>14.8g}" for values in taken.values()))
    return "\n".join(lines) + "\n"


def _first_channel(values: np.ndarray) -> np.ndarray:
    return values[..., :1].reshape(-1) if values.ndim > 1 else values.reshape(-1)


def as_json(found: Mapping[str, LayerWeights]) -> str:
    """What the listing says, as JSON."""
    layers = [
        {"layer": layer.layer, "type": layer.type, "weights": [_entry(weight) for weight in layer.values()]}
        for layer in found.values()
    ]
    return json.dumps({"schema": 1, "layers": layers}, indent=1) + "\n"


def _entry(w: LayerWeight) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": w.name,
        "shape": list(w.shape),
        "trainable": w.trainable,
        "stored_range": None if w.weight is None else _ends(ends(w.weight)),
        "quantizer": w.quantizer or None,
    }
    if w.slot is not None:
        entry |= {
            "effective_range": _ends(w.effective),
            "distinct": len(np.unique(w.effective)),
            "scale": None if w.scale is None else np.unique(np.asarray(w.scale)).astype(float).tolist(),
            "saturated": w.saturated,
            "largest_change": w.largest_change,
        }
    return entry


def _ends(values: np.ndarray) -> list[float | str]:
    ends = [float(f(values)) for f in (np.min, np.max)] if values.size else []
    return [end if np.isfinite(end) else str(end) for end in ends]


def arrays(found: Mapping[str, LayerWeights]) -> dict[str, np.ndarray]:
    """All of it for an .npz: "layer/weight/stored", "/effective", "/codes" and "/scale"."""
    everything: dict[str, np.ndarray] = {}
    for layer in found.values():
        for w in layer.values():
            parts = {"stored": w.stored, "effective": w.effective, "codes": w.codes, "scale": w.scale}
            everything |= {
                f"{layer.layer}/{w.name}/{part}": np.asarray(v) for part, v in parts.items() if v is not None
            }
    return everything
