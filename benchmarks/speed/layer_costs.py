"""Layer times told: per model, per type of layer, and the slowest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from speed.peers import NUMPY, REFCONV
from speed.tables import Table
from speed.timed import CPU, GPU, Layer, Untimed

COLUMNS = (REFCONV, NUMPY, CPU, GPU)


def as_json(
    timed: Sequence[Layer], untimed: Iterable[Untimed], batch: int, gpu: str, machine: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "benchmark": "framework",
        "machine": dict(machine),
        "gpu": gpu,
        "batch": batch,
        "models": grouped(timed, lambda layer: layer.model),
        "types": grouped(timed, lambda layer: layer.type),
        "layers": [_layer(layer) for layer in timed],
        "not_timed": [vars(layer) for layer in untimed],
    }


def grouped(timed: Iterable[Layer], key: Callable[[Layer], str]) -> dict[str, dict[str, Any]]:
    """Group → how many layers, the sum of their medians by column, and the reference's as a multiple of TensorFlow's.

    A column is summed only where every layer of the group has it.
    """
    groups: dict[str, list[Layer]] = {}
    for layer in timed:
        groups.setdefault(key(layer), []).append(layer)
    return {name: _sum(members) for name, members in groups.items()}


def totals(groups: Mapping[str, Mapping[str, Any]], what: str) -> Table:
    """In milliseconds, the slowest group first."""
    names = [c for c in COLUMNS if any(c in group["seconds"] for group in groups.values())]
    ordered = sorted(groups.items(), key=lambda item: -item[1]["seconds"][REFCONV])
    rows = [
        [name, str(g["layers"]), *(_ms(g["seconds"].get(c)) for c in names), *_ratios(g["times"], names)]
        for name, g in ordered
    ]
    return Table([what, "layers", *names, *_heads(names)], rows)


def slowest(timed: Iterable[Layer], count: int) -> Table:
    ordered = sorted(timed, key=lambda layer: -layer.seconds[REFCONV].median)[:count]
    names = [c for c in COLUMNS if any(c in layer.seconds for layer in ordered)]
    rows = [
        [
            *(f"{layer.model} {layer.name}", layer.type, "×".join(map(str, layer.shape))),
            *(_spread(layer.seconds.get(c)) for c in names),
            *_ratios(_sum([layer])["times"], names),
        ]
        for layer in ordered
    ]
    return Table(["layer, ms", "type", "output", *names, *_heads(names)], rows, left=3)


def _sum(members: Sequence[Layer]) -> dict[str, Any]:
    shared = [c for c in COLUMNS if all(c in layer.seconds for layer in members)]
    seconds = {c: sum(layer.seconds[c].median for layer in members) for c in shared}
    times = {c: seconds[REFCONV] / seconds[c] for c in (CPU, GPU) if c in seconds}
    return {"layers": len(members), "seconds": seconds, "times": times}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        **{"model": layer.model, "layer": layer.name, "type": layer.type, "shape": list(layer.shape)},
        "seconds": {c: {"median": m.median, "iqr": [m.low, m.high]} for c, m in layer.seconds.items()},
    }


def _heads(names: Sequence[str]) -> list[str]:
    return [f"{REFCONV} / {c.removeprefix('tensorflow ')}" for c in names if c in (CPU, GPU)]


def _ratios(times: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{times[c]:.1f}" if c in times else "–" for c in names if c in (CPU, GPU)]


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:.2f}"


def _spread(found: Any) -> str:
    return "–" if found is None else f"{found.median * 1e3:.2f} ±{(found.high - found.low) / 2 * 1e3:.2f}"
