"""What the timings come to: rates, ratios, and the few figures that were promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from speed.peers import NUMPY, PEERS, REFCONV, SUMS, TORCH64
from speed.shapes import DENSE, DEPTHWISE, MAX, SUM, Shape
from speed.timing import DGEMM, SIDE, Measured

Row = tuple[Shape, Mapping[str, Measured]]
LIGHT = (DEPTHWISE, MAX, SUM)


def as_json(rows: Iterable[Row], batch: int, machine: Mapping[str, Any]) -> dict[str, Any]:
    rows = list(rows)
    return {
        "benchmark": "kernels",
        "machine": dict(machine),
        "batch": batch,
        "promised": promised(rows, batch),
        "layers": [_layer(*row, batch) for row in rows],
    }


def _layer(shape: Shape, found: Mapping[str, Measured], batch: int) -> dict[str, Any]:
    work, top = shape.operations(batch), 2 * SIDE**3 / found[DGEMM].median
    return {
        "model": shape.model,
        "layer": shape.layer,
        "kind": shape.kind,
        "gigaoperations": work / 1e9,
        "dgemm_gflops": top / 1e9,
        "peers": {
            name: {
                "seconds": m.median,
                "iqr": [m.low, m.high],
                "gflops": work / m.median / 1e9,
                "share_of_dgemm": work / m.median / top,
                "times_refconv": m.median / found[REFCONV].median,
            }
            for name, m in found.items()
            if name != DGEMM
        },
    }


def promised(rows: list[Row], batch: int) -> dict[str, float | None]:
    """Each figure beside its goal in the key; None where the shapes or the peer are missing."""
    vgg = [row for row in rows if row[0].model == "VGG16" and row[0].kind == DENSE]
    return {
        "VGG16 convolutions with sums, share of dgemm (goal 0.6)": share(vgg, batch) if vgg else None,
        "dense values, times torch float64 (goal 1.0)": ratio(rows, (DENSE,), TORCH64),
        "depthwise and windows, times torch float64 (goal 1.5)": ratio(rows, LIGHT, TORCH64),
        "depthwise and windows, times the NumPy engine (goal 10)": ratio(rows, LIGHT, NUMPY),
    }


def share(rows: list[Row], batch: int) -> float:
    """Of dgemm's rate, all shapes together: the time that dgemm would take for their operations over the time taken."""
    ideal = sum(shape.operations(batch) / (2 * SIDE**3) * found[DGEMM].median for shape, found in rows)
    return float(ideal / sum(found[SUMS].median for _, found in rows))


def ratio(rows: list[Row], kinds: tuple[str, ...], peer: str) -> float | None:
    """Geometric mean of how much longer the peer takes."""
    both = [
        found[peer].median / found[REFCONV].median for shape, found in rows if shape.kind in kinds and peer in found
    ]
    return float(np.exp(np.mean(np.log(both)))) if both else None


def absent() -> list[str]:
    return [peer.name for peer in PEERS if not peer.there]
