"""What changed between two models' weights, for a person and for a program."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from refconv.inventory.difference import ADDED, CHANGED, REMOVED, RESHAPED, SAME, Difference, WeightDifference
from refconv.inventory.pairing import INNER, NAME, STRUCTURE
from refconv.report.text import error, pad, printable, shorten, size, width, wrap

HEADER = ("layer", "weight", "shape", "changed", "largest", "rms", "of its size")
RIGHT = (False, False, False, True, True, True, True)
ROWS = 30  # of the table, unless all are wanted
NAMED = 6  # weights or ranges that a line names
COLUMNS = 100
WIDEST = 32  # of a name


def text(found: Difference, *, every: bool = False) -> str:
    """The summary, the weights that are not the same (`every`: all), why they may have changed, and what stands out."""
    lines = [f"{printable(found.a)} → {printable(found.b)}", *_summary(found)]
    rows = [weight for weight in found.weights if every or not weight.is_same]
    if rows:
        lines += ["", *_table(rows if every else rows[:ROWS])]
        if len(rows) > ROWS and not every:
            lines.append(f"… and {len(rows) - ROWS} more: --all")
    for part in (_causes(found), _printed(found), _dead(found), _effective(found), _expected(found)):
        lines += part
    return "\n".join(lines) + "\n"


def _summary(found: Difference) -> Iterator[str]:
    counts = Counter(weight.status for weight in found.weights if weight.was or weight.shape is not None)
    listed = ", ".join(f"{counts[s]} {s}" for s in (SAME, CHANGED, ADDED, REMOVED, RESHAPED) if counts[s])
    layers = len({weight.layer for weight in found.weights})
    yield f"{_count(sum(counts.values()), 'weight')} in {_count(layers, 'layer')}: {listed or 'none'}"
    yield f"layers matched {_matched(found)}"
    changed = sum(weight.frozen and weight.status == CHANGED for weight in found.weights)
    if changed:
        yield f"{changed} of those that changed are not trainable"
    flags = sum(None not in weight.trainable and len(set(weight.trainable)) == 2 for weight in found.weights)
    if flags:
        yield f"{_count(flags, 'weight')} trainable in one of the two only"
    still = sum(weight.status == SAME and weight.trainable[1] is True for weight in found.weights)
    if still and not found.is_same:
        yield f"{still} of those that are the same are trainable"
    for note in found.notes:
        yield from wrap(f"note: {note}", COLUMNS)
    for was, now, by in found.renamed[:NAMED]:
        yield f"  {printable(was)} is {printable(now)} (by {by})"
    if len(found.renamed) > NAMED:
        yield f"  … and {len(found.renamed) - NAMED} more"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _matched(found: Difference) -> str:
    parts = [f"{found.matched[by]} by {by}" for by in (NAME, INNER, STRUCTURE) if found.matched.get(by)]
    if found.matched.get(""):
        parts.append(f"{found.matched['']} not at all")
    return f"by {NAME}" if set(found.matched) == {NAME} else ", ".join(parts) or "not at all"


def _table(weights: Sequence[WeightDifference]) -> Iterator[str]:
    rows = [HEADER, *(_cells(weight) for weight in weights)]
    widths = [min(max(width(row[column]) for row in rows), WIDEST) for column in range(len(HEADER))]
    for row in rows:
        cells = (pad(shorten(c, w), w, right=r) for c, w, r in zip(row, widths, RIGHT, strict=True))
        yield "  ".join(cells).rstrip()
    if any(weight.frozen for weight in weights):
        yield "* not trainable"


def _cells(w: WeightDifference) -> tuple[str, ...]:
    name = printable(w.name) + ("*" if w.frozen else "")
    shape = size(w.shape if w.shape is not None else w.was or ())
    if w.change is None:
        status = f"was {size(w.was or ())}" if w.status == RESHAPED else w.status
        if w.shape is None and w.was is None:
            shape, status = "", "computed"
        return printable(w.layer), name, shape, status, "", "", ""
    every = w.change.changed == w.change.elements
    changed = "all" if every else f"{w.change.changed:,} of {w.change.elements:,}"
    return printable(w.layer), name, shape, changed, error(w.change.largest), error(w.change.rms), _share(w)


def _share(w: WeightDifference) -> str:
    assert w.change is not None
    share = w.change.relative
    if not math.isfinite(share):
        return "was 0" if share == math.inf else str(share)
    return f"{100 * share:.3g}%" if share < 10 else f"{share:.0f}x"


def _causes(found: Difference) -> Iterator[str]:
    """Each cause once, with the weights that it holds for: what is certain first."""
    named: dict[tuple[bool, str, str], list[str]] = {}
    for weight in found.weights:
        for cause in weight.causes:
            named.setdefault((not cause.certain, cause.kind, cause.text), []).append(weight.label)
    for (possible, kind, why), labels in sorted(named.items(), key=lambda item: item[0][0]):
        mark = "possible, no file records it: " if possible else ""
        yield from wrap(f"{kind}: {_names(labels)}", COLUMNS)
        yield from wrap(f"{mark}{why}", COLUMNS, "    ", "    ")


def _names(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more


def _dead(found: Difference) -> Iterator[str]:
    shown = [(weight.label, weight.dead) for weight in found.weights if weight.dead is not None]
    for label, dead in shown[:NAMED]:
        ranges = list(spans(dead.dead))
        listed = ", ".join(ranges[:NAMED]) + (f" … {ranges[-1]}" if len(ranges) > NAMED else "")
        yield from wrap(
            f"{label}: no weight of {len(dead.dead):,} of {dead.inputs:,} inputs changed in any bit ({listed}), as "
            "where an input always was 0",
            COLUMNS,
        )
    if len(shown) > NAMED:
        yield f"  and so inputs of {len(shown) - NAMED} more weights, which --json lists"


def _printed(found: Difference) -> Iterator[str]:
    small = {w.label: w.change.printed_zero for w in found.weights if w.change is not None and w.change.printed_zero}
    if small:
        count = sum(small.values())
        what = "1 change is" if count == 1 else f"{count:,} changes are"
        told = f"{what} not 0, and would be printed as 0.00000000: in {_names(list(small))}"
        yield from wrap(told, COLUMNS)


def _effective(found: Difference) -> Iterator[str]:
    """What became of quantized weights: all that differ, and those that do not though what is stored does."""
    for weight in found.weights:
        behind = weight.effective
        if behind is None or (weight.status == SAME and behind.same):
            continue
        if behind.same:
            what = "the stored change is too small for its quantizer: the layer multiplies by the same as before"
        elif not behind.elements:
            what = "effective weights of another shape"
        else:
            what = f"effective weights: {behind.changed:,} of {behind.elements:,} changed"
            what += f", by up to {error(behind.largest)}"
        yield from wrap(f"{weight.label}: {what}", COLUMNS)


def _expected(found: Difference) -> Iterator[str]:
    if found.expected_frozen:
        wanted = ", ".join(found.expected_frozen)
        bad = [weight.label for weight in found.violations]
        told = f"FAIL  changed: {_names(bad)}" if bad else "PASS  nothing changed"
        yield from wrap(f"{told} (expected to be frozen: {wanted})", COLUMNS)


def spans(numbers: Iterable[int]) -> Iterator[str]:
    """0, 1, 2, 5 → 0–2, 5."""
    run: list[int] = []
    for number in [*numbers, None]:
        if run and number != run[-1] + 1:
            yield f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0])
            run = []
        if number is not None:
            run.append(number)


def as_json(found: Difference) -> str:
    """All of it."""
    document = {
        "schema": 1,
        "a": found.a,
        "b": found.b,
        "same": found.is_same,
        "matched": {by or "none": count for by, count in found.matched.items()},
        "renamed": [{"a": was, "b": now, "by": by} for was, now, by in found.renamed],
        "expected_frozen": list(found.expected_frozen),
        "violations": [weight.label for weight in found.violations],
        "notes": list(found.notes),
        "weights": [_entry(weight) for weight in found.weights],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _entry(w: WeightDifference) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "layer": w.layer,
        "type": w.type,
        "name": w.name,
        "status": w.status,
        "shape_a": None if w.was is None else list(w.was),
        "shape_b": None if w.shape is None else list(w.shape),
        "dtypes": list(w.dtypes),
        "trainable": list(w.trainable),
    }
    if w.change is not None:
        entry["change"] = {
            "elements": w.change.elements,
            "changed": w.change.changed,
            "printed_as_zero": w.change.printed_zero,
            "largest": _number(w.change.largest),
            "rms": _number(w.change.rms),
            "rms_of_weight": _number(w.change.size),
            "relative": _number(w.change.relative),
        }
    if w.causes:
        entry["causes"] = [{"kind": c.kind, "text": c.text, "certain": c.certain} for c in w.causes]
    if w.dead is not None:
        entry["dead_inputs"] = {"inputs": w.dead.inputs, "dead": list(w.dead.dead)}
    if w.effective is not None:
        behind = w.effective
        entry["effective"] = {
            "elements": behind.elements,
            "changed": behind.changed,
            "largest": _number(behind.largest),
            "same": behind.same,
        }
    return entry


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
