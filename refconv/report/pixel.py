"""One element by hand, for a person and for a program. Nothing here computes more than it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import numpy as np

from refconv.pipeline.by_hand import Pixel
from refconv.reference.by_hand import MAX, MEAN, SUM, ByHand
from refconv.report.text import error, pad, printable, share, size, width

TERMS = 32  # a field of more is told channel by channel
SHOWN = 64  # channels of which each is told
DIGITS = ".9g"


def render(found: Pixel, *, everything: bool = False) -> str:
    """The terms (all of them, or a line per channel where there are many), their sum, bias, activation, framework."""
    e = found.by_hand
    lines = [
        f"{printable(e.layer)}  {printable(e.type)}  output {_index(e.index)} of {size(found.shape)}",
        f"fed: {found.fed}",
        *_where(e),
        "",
        *(_terms(e) if everything or e.products.size <= TERMS else _channels(e)),
        "",
        *_ending(found),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _where(e: ByHand) -> Iterator[str]:
    """The receptive field in the input."""
    f = e.field
    spans = [_span(source) for source in f.sources]
    channels = f"channel {f.channels[0]}" if len(f.channels) == 1 else f"channels {f.channels[0]}…{f.channels[-1]}"
    hidden = int(np.size(f.seen) - np.count_nonzero(f.seen))
    taps = f"; {hidden} of {np.size(f.seen)} taps on padding" if hidden else ""
    yield f"receptive field: sample {e.index[0]}, {', '.join([*spans, channels])}{taps}"


def _span(source: np.ndarray) -> str:
    seen = source[source >= 0]
    inside = f"{seen[0]}…{seen[-1]}" if len(seen) > 1 else str(seen[0]) if len(seen) else "none"
    return f"[{inside}]"


def _rows(e: ByHand) -> Iterator[tuple[tuple[int, ...], str]]:
    """Each place in the field, and the element of the input there."""
    f, nowhere = e.field, "no input" if "Transpose" in e.type else "padding"
    for place in np.ndindex(e.products.shape):
        tap, channel = place[:-1], f.channels[place[-1]]
        sources = [f.sources[axis][i] for axis, i in enumerate(tap)]
        seen = bool(f.seen[tap]) if tap else True
        yield place, _index([*map(int, sources), int(channel)]) if seen else nowhere


def _terms(e: ByHand) -> list[str]:
    head = ["input", "value"]
    if e.kernel is not None:
        head += ["tap", *(["stored"] if e.stored is not None else []), "kernel" if e.stored is None else "effective"]
        head += ["product"]
    table = [head]
    for place, source in _rows(e):
        row = [source, _number(e.field.values[place]) if source != "padding" or e.operation == SUM else "-"]
        if e.kernel is not None:
            stored = [] if e.stored is None else [_number(e.stored[place])]
            row += [_index(place), *stored, _number(e.kernel[place]), _number(e.products[place])]
        table.append(row)
    return _columns(table)


def _channels(e: ByHand) -> list[str]:
    """What the terms of each channel, or of each row of the only channel, come to."""
    terms = np.where(e.field.seen[..., None], e.products, -np.inf) if e.operation == MAX else e.products
    join = np.max if e.operation == MAX else np.sum
    if len(e.field.channels) == 1 and terms.ndim > 1:
        name, labels = "row", list(range(len(terms)))
        parts = join(terms.reshape(len(terms), -1), axis=1)
    else:
        name, labels = "channel", e.field.channels.tolist()
        parts = join(terms.reshape(-1, terms.shape[-1]), axis=0)
    what = "the largest of each" if e.operation == MAX else "added up by"
    return [f"{terms.size} terms, {what} {name} (--all shows each):", *_parts(name, labels, parts, e.operation)]


def _parts(name: str, labels: Sequence[int], parts: np.ndarray, operation: str) -> list[str]:
    cells = [f"{label}: {_number(value)}" for label, value in zip(labels[:SHOWN], parts, strict=False)]
    broad = max(map(width, cells)) + 2
    each = max(1, 100 // broad)
    lines = [cells[i : i + each] for i in range(0, len(cells), each)]
    rows = [f"  {name} " + "".join(pad(cell, broad) for cell in line) for line in lines]
    if len(parts) <= SHOWN:
        return rows
    rest = float(np.max(parts[SHOWN:]) if operation == MAX else np.sum(parts[SHOWN:]))
    return [*rows, f"  {len(parts) - SHOWN} more: {_number(rest)}"]


def _ending(found: Pixel) -> list[str]:
    e = found.by_hand
    rows = [_summed(e)]
    if e.operation == MEAN:
        rows.append((f"divided by {e.divisor}", _number(e.total / e.divisor), ""))
    if e.bias is not None:
        stored = "" if e.stored_bias is None else f"stored {_number(e.stored_bias)}"
        rows += [("bias", _number(e.bias), stored), ("sum and bias", _number(e.before), "")]
    if e.activation:
        rows.append((e.activation, _number(e.value), "" if e.elementwise else "over all elements of its axis"))
    rows.append(("reference", _number(e.value), f"± {error(found.radius)}" if found.radius else "to the last bit"))
    rows.append(_framework(found))
    if e.stored is not None:
        rows.append(("with stored weights", _number(with_stored(e)), "before the activation: not what the layer does"))
    label, value = (max(width(row[column]) for row in rows) for column in (0, 1))
    return [f"{pad(row[0], label)}  {pad(row[1], value, right=True)}  {row[2]}" for row in rows]


def _summed(e: ByHand) -> tuple[str, str, str]:
    what = "products" if e.kernel is not None else "values"
    name = f"maximum of {int(np.count_nonzero(e.field.seen))} values" if e.operation == MAX else f"sum of {what}"
    return name, _number(e.total), ""


def _framework(found: Pixel) -> tuple[str, str, str]:
    if found.framework is None:
        return "framework", "-", found.reason
    assert found.used is not None
    bits = found.framework == found.by_hand.value
    said = "equal" if bits else f"{share(found.used)} of the bound" if found.radius else "other bits"
    return "framework", _number(found.framework), said if found.used <= 1 else f"DIFFERS: {said}"


def with_stored(e: ByHand) -> float:
    """What the weights of the file would give, before the activation."""
    assert e.stored is not None
    bias = e.bias if e.stored_bias is None else e.stored_bias
    return float((e.field.values * e.stored).sum()) + (bias or 0.0)


def as_json(found: Pixel) -> str:
    """All of it; numbers in full, and those that are not finite as text."""
    e, f = found.by_hand, found.by_hand.field
    document = {
        "schema": 1,
        "model": found.model,
        "layer": e.layer,
        "type": e.type,
        "index": list(e.index),
        "output_shape": list(found.shape),
        "fed": found.fed,
        "operation": e.operation,
        "field": {
            "shape": list(f.values.shape),
            "sources": [[int(i) for i in source] for source in f.sources],
            "channels": [int(c) for c in f.channels],
            "padding": (~f.seen).ravel().tolist() if f.sources else [False],
            "values": _list(f.values),
        },
        "kernel": None if e.kernel is None else _list(e.kernel),
        "stored_kernel": None if e.stored is None else _list(e.stored),
        "products": None if e.kernel is None else _list(e.products),
        "total": _plain(e.total),
        "divisor": e.divisor,
        "bias": _plain(e.bias),
        "stored_bias": _plain(e.stored_bias),
        "before_activation": _plain(e.before),
        "activation": e.activation,
        "value": _plain(e.value),
        "allowed": _plain(found.radius),
        "with_stored_weights": None if e.stored is None else _plain(with_stored(e)),
        "framework": _plain(found.framework),
        "bound_used": _plain(found.used),
        "reason": found.reason,
    }
    return json.dumps(document, indent=1) + "\n"


def _list(values: np.ndarray) -> list[Any]:
    return [_plain(float(v)) for v in values.ravel()]


def _plain(value: float | None) -> float | str | None:
    return value if value is None or isfinite(value) else str(value)


def _number(value: float) -> str:
    return format(float(value) + 0.0, DIGITS)


def _index(index: Sequence[int]) -> str:
    return "[" + ", ".join(str(int(i)) for i in index) + "]"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(pad(cell, w, right=True) for cell, w in zip(row, widths, strict=True)) for row in rows]
