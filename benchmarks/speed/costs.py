"""What a check costs, told: ratios to the plain script, the line in the batch, and the figures that were promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from speed.beside import Row, Side
from speed.files import TINY
from speed.growth import Line, line
from speed.tables import Table

Weights = tuple[Side, Side]  # cat, and refconv weights

MEGABYTE = 1e6
NONE = "–"
READING, START = 1.5, 0.5  # `refconv weights` may take 1.5 times cat's seconds, and half a second


def as_json(rows: Sequence[Row], weights: Weights | None, machine: Mapping[str, Any], memory: str) -> dict[str, Any]:
    return {
        "benchmark": "check",
        "machine": dict(machine),
        "memory": memory,
        "promised": promised(rows, weights),
        "rows": [_row(row) for row in rows],
        "growth": {model: _growth(rows, model) for model in models(rows)},
        "weights": None if weights is None else {"cat": _side(weights[0]), "weights": _side(weights[1])},
    }


def promised(rows: Sequence[Row], weights: Weights | None) -> dict[str, float | None]:
    """Each figure beside its goal in the key; None where it was not measured, or something did not pass."""
    sound = [row for row in rows if row.passes]
    offs = [found.off * 100 for model in models(sound) if (found := growth(sound, model))]
    return {
        "VGG16, batch 1, times the plain script (goal 1.5)": _slower(sound, "VGG16"),
        f"{TINY}, batch 1, times the plain script (goal 1.4)": _slower(sound, TINY),
        "farthest off a line in the batch, per cent (goal 15)": max(offs, default=None),
        "most memory, times the plain script (goal 1.6)": max((r.larger for r in sound if r.larger), default=None),
        "refconv weights, times 1.5 cat + 0.5 s (goal 1.0)": None if weights is None else reading(*weights),
    }


def reading(cat: Side, weights: Side) -> float | None:
    """Of the seconds that listing a file's weights may take, the share that it took."""
    if cat.exit_code or weights.exit_code:
        return None
    return weights.seconds.median / (READING * cat.seconds.median + START)


def models(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.model for row in rows))


def growth(rows: Iterable[Row], model: str, side: str = "check") -> Line | None:
    return line({r.batch: getattr(r, side).seconds.median for r in rows if r.model == model and r.comparable})


def marginal(rows: Sequence[Row], model: str) -> float | None:
    """One more sample's seconds, as a multiple of the plain script's; None where that shows no growth."""
    check, plain = growth(rows, model), growth(rows, model, "plain")
    return check.each / plain.each if check and plain and plain.each > 0 else None


def costs(rows: Sequence[Row]) -> Table:
    heads = ["model", "batch", "plain s", "check s", "ratio", "plain MB", "check MB", "ratio", "exit"]
    return Table(heads, [_cells(row) for row in rows])


def lines(rows: Sequence[Row]) -> Table:
    heads = ["model", "check s =", "farthest off", "plain s =", "one more sample, times plain"]
    return Table(heads, [_line_cells(rows, model) for model in models(rows) if growth(rows, model)])


def failures(rows: Iterable[Row], weights: Weights | None) -> list[str]:
    """What did not pass, and what it said."""
    ran = [
        (f"{r.model}, batch {r.batch}", pair) for r in rows for pair in (("plain script", r.plain), ("check", r.check))
    ]
    ran += [("listing weights", pair) for pair in zip(("cat", "refconv weights"), weights or (), strict=False)]
    return [f"{where}: {what} ends with {side.exit_code}: {side.said}" for where, (what, side) in ran if side.exit_code]


def _slower(rows: Iterable[Row], name: str) -> float | None:
    fitting = (r.slower for r in rows if r.batch == 1 and name in (r.model, r.model.rpartition("/")[2].split(".")[0]))
    return next(fitting, None)


def _cells(row: Row) -> list[str]:
    ended = [
        f"{name} {side.exit_code}" for name, side in (("plain", row.plain), ("check", row.check)) if side.exit_code
    ]
    return [
        *(row.model, str(row.batch)),
        *(seconds(row.plain), seconds(row.check), times(row.slower)),
        *(f"{row.plain.peak / MEGABYTE:.0f}", f"{row.check.peak / MEGABYTE:.0f}", times(row.larger)),
        ", ".join(ended) or "0",
    ]


def _line_cells(rows: Sequence[Row], model: str) -> list[str]:
    check, plain = growth(rows, model), growth(rows, model, "plain")
    assert check and plain
    written = [f"{found.fixed:.1f} + {found.each:.2f}·N" for found in (check, plain)]
    return [model, written[0], f"{check.off:.0%}", written[1], times(marginal(rows, model))]


def seconds(side: Side) -> str:
    """Median ± half the interquartile range."""
    return f"{side.seconds.median:.1f} ±{(side.seconds.high - side.seconds.low) / 2:.1f}"


def times(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _row(row: Row) -> dict[str, Any]:
    return {
        **{"model": row.model, "batch": row.batch, "rounds": row.rounds},
        **{"plain": _side(row.plain), "check": _side(row.check)},
        **{"slower": row.slower, "larger": row.larger},
    }


def _side(side: Side) -> dict[str, Any]:
    m = side.seconds
    return {
        **{"seconds": m.median, "iqr": [m.low, m.high], "peak_bytes": side.peak},
        **{"exit_code": side.exit_code, "said": side.said},
    }


def _growth(rows: Sequence[Row], model: str) -> dict[str, Any] | None:
    check, plain = growth(rows, model), growth(rows, model, "plain")
    if check is None or plain is None:
        return None
    return {"check": asdict(check), "plain": asdict(plain), "marginal": marginal(rows, model)}
