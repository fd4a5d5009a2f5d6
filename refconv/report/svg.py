"""Charts of a finished check as SVG that stands in a page; colours are those of its style sheet, by class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from refconv.report.png import Colour, data_url, png
from refconv.report.text import printable, share, size
from refconv.result import EXPONENTS, FAILING, Comparison, LayerResult, Spread

WIDTH, HEIGHT = 900, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 44  # around the area of a chart

# Of a map: the colour of a share up to each end, blue inside the bound and red beyond it. Equal elements are white.
ENDS = (0.0, 2.0**-6, 2.0**-5, 2.0**-4, 2.0**-3, 2.0**-2, 2.0**-1, 1.0, 2.0, 8.0, math.inf)
PALETTE: tuple[Colour, ...] = (
    (255, 255, 255),
    (231, 240, 250),
    (205, 224, 244),
    (171, 204, 236),
    (130, 178, 224),
    (88, 148, 206),
    (46, 114, 180),
    (10, 76, 140),
    (253, 174, 97),
    (227, 74, 51),
    (140, 0, 20),
)


@dataclass(frozen=True)
class Axis:
    """The vertical axis of a chart: where a value stands (0 at the foot, 1 at the top), its ticks and its name."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]
    name: str
    line: float | None = None  # a value that is marked: the bound
    joined: bool = False  # whether a line through the points means something

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(self.place(value), 0.0), 1.0)), 1)


def drift(layers: Sequence[LayerResult]) -> Markup:
    """SQNR of the chained reference, layer by layer; "" where it is known of none."""
    found = [(n, layer, layer.chained.sqnr_db) for n, layer in enumerate(layers) if layer.chained is not None]
    if not found:
        return Markup("")
    highest = max([db for *_, db in found if math.isfinite(db)], default=0.0)
    top = 40.0 * max(math.ceil(highest / 40), 1)
    ticks = [(0.0, "≤ 0"), *((db, f"{db:.0f}") for db in range(40, int(top) + 1, 40))]
    axis = Axis(
        lambda db: 0.9 * db / top if math.isfinite(db) else float(db > 0),
        [*ticks, (math.inf, "equal")],
        "dB",
        joined=True,
    )
    return _points(axis, [(n, layer, db, f"{db:.1f} dB") for n, layer, db in found], len(layers))


def used(layers: Sequence[LayerResult]) -> Markup:
    """The share of its bound that each layer used; "" where nothing was compared."""
    found = [(n, layer, layer.worst.bound_used) for n, layer in enumerate(layers) if layer.worst is not None]
    if not found:
        return Markup("")
    top = max([math.log10(s) for *_, s in found if 0 < s < math.inf], default=0.0)
    low, high = -4.0, min(max(1.0, math.ceil(top)), 12.0)
    step = max(1, math.ceil((high - low) / 6))
    ticks = [(10.0**k, _power(k)) for k in range(int(low), int(high) + 1, step)]
    axis = Axis(
        lambda s: 0.08 + 0.84 * (math.log10(s) - low) / (high - low) if 0 < s < math.inf else float(not s <= 0),
        [(0.0, "0"), *ticks, (math.inf, "∞")],
        "× bound",
        1.0,
    )
    return _points(axis, [(n, layer, s, share(s) + " of the bound") for n, layer, s in found], len(layers))


def _power(k: int) -> str:
    return f"{10.0**k:g}" if k < 4 else f"1e{k}"


def _points(axis: Axis, points: Sequence[tuple[int, LayerResult, float, str]], count: int) -> Markup:
    def x(number: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (number + 0.5) / count, 1)

    places = [(x(n), axis.y(v), layer, said) for n, layer, v, said in points]
    path = "M" + "L".join(f"{a} {b}" for a, b, *_ in places)
    step = max(1, math.ceil(count / 12))
    names = _join(
        Markup('<text class="mid" x="{}" y="{}">{}</text>').format(x(n), HEIGHT - BOTTOM + 16, n + 1)
        for n in range(0, count, step)
    )
    line = Markup('<path class="line" d="{}"/>').format(path) if axis.joined else Markup("")
    return _svg(_frame(axis) + names + line + _join(_dot(*place) for place in places), "layer, in the model's order")


# A point is a link for the mouse: hundreds of them would stand in the way of the keyboard, which has the table.
def _dot(x: float, y: float, layer: LayerResult, said: str) -> Markup:
    radius = 5 if layer.verdict in FAILING else 3
    return Markup(
        '<a href="#l{}" tabindex="-1"><circle class="{}" cx="{}" cy="{}" r="{}"><title>{}: {}, {}</title></circle></a>'
    ).format(layer.index, layer.verdict.value, x, y, radius, printable(layer.name), said, layer.verdict.value)


def _frame(axis: Axis) -> Markup:
    """The ticks with their lines, the axis's name, and the marked value."""
    lines = _join(
        Markup('<path class="grid" d="M{} {}H{}"/><text class="end" x="{}" y="{}">{}</text>').format(
            LEFT, axis.y(value), WIDTH - RIGHT, LEFT - 6, axis.y(value) + 4, label
        )
        for value, label in axis.ticks
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    name = Markup('<text class="mid" transform="translate(14 {}) rotate(-90)">{}</text>').format(middle, axis.name)
    if axis.line is None:
        return lines + name
    bound = Markup('<path class="bound" d="M{} {}H{}"/><text class="bound end" x="{}" y="{}">the bound</text>')
    return lines + name + bound.format(LEFT, axis.y(axis.line), WIDTH - RIGHT, WIDTH - RIGHT, axis.y(axis.line) - 4)


def _svg(inside: Markup, below: str) -> Markup:
    name = Markup('<text class="mid" x="{}" y="{}">{}</text>').format((LEFT + WIDTH) / 2, HEIGHT - 6, below)
    return Markup('<svg viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, below, inside + name
    )


def histogram(counts: Sequence[int]) -> Markup:
    """Elements by their error in units of the bound, on a logarithmic scale; "" where nothing was counted."""
    if not sum(counts):
        return Markup("")
    top = max(math.ceil(math.log10(max(counts))), 1)
    step = math.ceil(top / 5)
    ticks = [(10.0**k, _many(k)) for k in range(0, top + 1, step)]
    axis = Axis(lambda n: 0.06 + 0.94 * math.log10(n) / top if n else 0.0, ticks, "elements")
    wide = (WIDTH - LEFT - RIGHT) / len(counts)
    bars = _join(_bar(n, count, wide, axis) for n, count in enumerate(counts) if count)
    names = _join(
        Markup('<text class="mid" x="{}" y="{}">{}</text>').format(
            round(LEFT + wide * (n + shift), 1), HEIGHT - BOTTOM + 16, label
        )
        for n, shift, label in _bin_names()
    )
    edge = round(LEFT + wide * (2 - EXPONENTS.start), 1)
    bound = Markup('<path class="bound" d="M{} {}V{}"/><text class="bound" x="{}" y="{}">the bound</text>')
    marked = bound.format(edge, TOP, HEIGHT - BOTTOM, edge + 5, TOP + 12)
    return _svg(_frame(axis) + bars + names + marked, "error in units of the bound (0: equal to the reference)")


def _many(k: int) -> str:
    """10ᵏ elements: 100, 10 k, 1 M."""
    return f"{10 ** (k % 3)} {'kMGTP'[k // 3 - 1]}" if k > 2 else str(10**k)


def _bar(number: int, count: int, wide: float, axis: Axis) -> Markup:
    y, kind = axis.y(count), "beyond" if number > 1 - EXPONENTS.start else "inside"
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {:,}</title></rect>').format(
        kind, round(LEFT + wide * number + 1, 1), y, round(wide - 2, 1), HEIGHT - BOTTOM - y, _bin(number), count
    )


def _bin(number: int) -> str:
    if number == 0:
        return "equal"
    above = EXPONENTS.start + number - 2
    return f"above {_two(above)}" if number == len(EXPONENTS) + 1 else f"up to {_two(above + 1)}"


def _bin_names() -> Iterator[tuple[int, float, str]]:
    """Bin, where in it the label stands, and the label: of the first and last bin itself, else of its upper end."""
    yield 0, 0.5, "0"
    for exponent in EXPONENTS:
        if exponent % 2 == 0:
            yield exponent - EXPONENTS.start + 1, 1.0, _two(exponent)
    yield len(EXPONENTS) + 1, 0.5, f"> {_two(EXPONENTS.stop - 1)}"


def _two(exponent: int) -> str:
    """2 to a small power, as people write it."""
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return "1" if exponent == 0 else f"2{raised}"


def strip(counts: Sequence[int]) -> Markup:
    """A histogram small enough for every layer: the bound is the line, and bars are as high as their logarithm."""
    top = max(math.log10(max(counts) + 1), 1e-9)
    heights = [round(34 * math.log10(n + 1) / top, 1) if n else 0 for n in counts]
    paths = [f"M{8 * n} 40v-{max(h, 2)}h7v{max(h, 2)}z" if h else "" for n, h in enumerate(heights)]
    inside, edge = 2 - EXPONENTS.start, 8 * (2 - EXPONENTS.start) - 0.5
    return Markup(
        '<svg class="strip" viewBox="0 0 {w} 56" width="{w}" height="56" role="img" aria-label="histogram of errors">'
        '<path class="inside" d="{inside}"/><path class="beyond" d="{beyond}"/><path class="bound" d="M{edge} 2V42"/>'
        '<text x="0" y="54">0</text><text class="mid" x="{edge}" y="54">bound</text></svg>'
    ).format(w=8 * len(counts), inside="".join(paths[:inside]), beyond="".join(paths[inside:]), edge=edge)


def error_map(output: Comparison) -> Markup:
    """The largest share of the bound in each cell, the worst element framed; "" where there is no map."""
    spread = output.spread
    if spread is None or not spread.grid:
        return Markup("")
    rows, columns = len(spread.grid), len(spread.grid[0])
    side = max(7, min(24, 224 // max(rows, columns)))
    levels = [[_level(value) for value in row] for row in spread.grid]
    return Markup(
        '<svg class="map" viewBox="0 0 {c} {r}" width="{w}" height="{h}" preserveAspectRatio="none" role="img"'
        ' aria-label="map of errors"><image href="{url}" width="{c}" height="{r}" preserveAspectRatio="none"/>{worst}'
        "</svg>"
    ).format(
        c=columns,
        r=rows,
        w=columns * side,
        h=rows * max(side, 20 if rows == 1 else 0),
        url=data_url(png(levels, PALETTE)),
        worst=_framed(output, spread),
    )


def _framed(output: Comparison, spread: Spread) -> Markup:
    if output.worst is None or output.bound_used == 0:
        return Markup("")
    row, column = spread.place(output.worst.index)
    # black on white, to be seen on every colour
    frame = Markup('<rect class="{k}" x="{x}" y="{y}" width="1" height="1"/>')
    return _join(frame.format(k=kind, x=column, y=row) for kind in ("halo", "worst"))


def _level(value: float) -> int:
    return next(level for level, end in enumerate(ENDS) if value <= end)


def map_words(output: Comparison) -> str:
    """ "axis 1 (8) down, axis 2 (8) across, the largest over the others", as far as there are such."""
    spread = output.spread
    if spread is None:
        return ""
    named = zip(spread.axes, spread.cell, ("down", "across"), strict=True)
    said = [f"axis {a} {way}{f', {n} elements a cell' if n > 1 else ''}" for a, n, way in named if a is not None]
    others = len(output.shape) - len(said)
    return "; ".join([f"{size(output.shape)}", *said, *(["the largest over the others"] if others else [])])


def share_names() -> list[str]:
    """What each colour of the palette means."""
    return ["equal", *(f"≤ {_two(int(math.log2(end)))}" for end in ENDS[1:-1]), "beyond"]


def legend() -> Iterator[tuple[str, str]]:
    """Colour and meaning, for the key to the maps."""
    for colour, name in zip(PALETTE, share_names(), strict=True):
        yield "#{:02x}{:02x}{:02x}".format(*colour), name


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
