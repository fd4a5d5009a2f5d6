"""Pictures of finished results, drawn by matplotlib without a screen."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch, Rectangle
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from refconv.inventory.pictures import Chart, Heat, Panel, Picture
from refconv.report.svg import ENDS, PALETTE, share_names
from refconv.report.text import printable, shorten

ZERO, LOST = "#9aa0a6", "#ff00ff"  # exactly 0; NaN and infinity: colours that no scale has
FRAME = 4.8  # inches that one of several charts is wide
SIDE, WIDEST = 5.2, 17.0  # inches that a panel is wide: more where its cells would else be less than a dot each
DOTS = 120  # per inch
STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "svg.hashsalt": "refconv",
    "font.size": 9,
    "axes.titlesize": 9,
    "svg.fonttype": "path",
}
DARK: dict[Any, Any] = {
    "figure.facecolor": "#14181e",
    "axes.facecolor": "#14181e",
    "savefig.facecolor": "#14181e",
    "text.color": "#e4e9ef",
    "axes.labelcolor": "#e4e9ef",
    "axes.edgecolor": "#9daab8",
    "xtick.color": "#9daab8",
    "ytick.color": "#9daab8",
    "legend.facecolor": "#1d232b",
    "legend.edgecolor": "#36404c",
    "axes.prop_cycle": cycler(color=["#7fb3e6", "#f0a35e", "#7fd8a0", "#dcaaf0"]),
}
LIGHT: dict[Any, Any] = {"axes.prop_cycle": cycler(color=["#2e72b4", "#c0561b", "#17703a", "#6b2a86"])}


def render(picture: Picture, kind: str = "png", *, dark: bool = False) -> bytes:
    """The picture as PNG or SVG. The same picture gives the same bytes."""
    with _style(dark):
        figure = _panels(picture) if picture.panels else _charts(picture)
        figure.suptitle(_fitting(picture.title, figure.get_figwidth() * 0.9, 11), fontsize=11)
        buffer = io.BytesIO()
        meta: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=DOTS, metadata=meta)
    return buffer.getvalue()


@contextmanager
def _style(dark: bool) -> Iterator[None]:
    with mpl.rc_context({**STYLE, **(DARK if dark else LIGHT)}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
        yield


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(picture: Picture) -> Figure:
    mosaics = [_mosaic(panel) for panel in picture.panels]
    shapes = [mosaic.shape for mosaic in mosaics]
    side = min(max(SIDE, *(max(shape) / DOTS for shape in shapes)), WIDEST)
    tall = max(rows / columns for rows, columns in shapes)
    figure = _figure(side * len(mosaics) + 1.2, min(max(side * tall, 2.0), side * 1.4) + 1.5)
    axes = figure.subplots(1, len(mosaics), squeeze=False)[0]
    colours, norm = _scale(picture)
    for ax, panel, mosaic in zip(axes, picture.panels, mosaics, strict=True):
        _draw(ax, panel, _coloured(mosaic, colours, norm, picture.shares), side)
    bar = figure.colorbar(
        mpl.cm.ScalarMappable(norm, colours), ax=list(axes), shrink=0.9, pad=0.02, label=_unit(picture)
    )
    if picture.shares:
        bar.set_ticks(list(range(len(ENDS))), labels=share_names())
    _key(figure, mosaics, picture.shares)
    return figure


def _unit(picture: Picture) -> str:
    return "largest error in units of the bound" if picture.shares else "value"


def _key(figure: Figure, mosaics: Sequence[np.ma.MaskedArray], shares: bool) -> None:
    """What the colours beside the scale mean, where they occur."""
    found = []
    if not shares and any(np.any(m == 0) for m in mosaics):
        found.append(Patch(color=ZERO, label="exactly 0"))
    if not shares and any(np.any(np.isnan(m.data) & ~np.ma.getmaskarray(m)) for m in mosaics):
        found.append(Patch(color=LOST, label="not finite"))
    if found:
        figure.legend(handles=found, loc="outside lower right", ncols=2, frameon=False)


def _mosaic(panel: Panel) -> np.ma.MaskedArray:
    """All tiles in one array, a masked line between them; what is not finite is NaN."""
    n, rows, columns = panel.tiles.shape
    gap = 1 if n > 1 else 0
    down = ceil(n / panel.across)
    whole = np.ma.masked_all((down * (rows + gap) - gap, panel.across * (columns + gap) - gap))
    for number, tile in enumerate(panel.tiles):
        row, column = number // panel.across * (rows + gap), number % panel.across * (columns + gap)
        whole[row : row + rows, column : column + columns] = np.where(np.isfinite(tile), tile, np.nan)
    return whole


def _scale(picture: Picture) -> tuple[Colormap, Normalize]:
    """White is 0 in the middle of a scale of both signs; else the scale begins at 0."""
    if picture.shares:
        colours = ListedColormap([[c / 255 for c in colour] for colour in PALETTE])
        return colours, BoundaryNorm([n - 0.5 for n in range(len(ENDS) + 1)], len(ENDS))
    return mpl.colormaps["RdBu_r" if picture.limits[0] < 0 else "viridis"], Normalize(*picture.limits)


def _coloured(mosaic: np.ma.MaskedArray, colours: Colormap, norm: Normalize, shares: bool) -> np.ndarray:
    """RGBA of every cell, in bytes; the lines between tiles are transparent."""
    values, gaps = mosaic.filled(0.0), np.ma.getmaskarray(mosaic)
    if shares:
        return colours(norm(np.searchsorted(ENDS[:-1], np.nan_to_num(values, nan=np.inf))), bytes=True)
    cells = colours(norm(np.nan_to_num(values)), bytes=True)
    cells[values == 0] = _bytes(ZERO)
    cells[np.isnan(values)] = _bytes(LOST)
    cells[gaps] = 0
    return cells


def _bytes(colour: str) -> tuple[int, ...]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue, 255


def _draw(ax: Axes, panel: Panel, cells: np.ndarray, width: float) -> None:
    n, rows, columns = panel.tiles.shape
    ax.imshow(cells, interpolation="nearest", aspect="equal" if _even(cells) else "auto")
    ax.set_title(_title((panel.label, *_broken(panel.note)), width))
    if n > 1:
        _number(ax, panel)
    else:
        _name(ax, panel)
    if panel.mark is not None:
        row, column = panel.mark
        for colour, width in (("white", 4.0), ("black", 1.5)):
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=colour, lw=width, clip_on=False))


def _fitting(text: str, inches: float, size: float = 9) -> str:
    """Text in one line of so many inches; its middle is left out where it is longer."""
    shown = printable(text)
    font = FontProperties(size=size)
    while len(shown) > 3 and (wide := text_to_path.get_text_width_height_descent(shown, font, False)[0]) > 72 * inches:
        shown = shorten(printable(text), min(len(shown) - 1, int(len(shown) * 72 * inches / wide)))
    return shown


def _title(lines: Sequence[str], inches: float) -> str:
    return "\n".join(_fitting(line, 0.85 * inches) for line in lines if line)  # the axes are narrower than their frame


def _broken(note: str) -> list[str]:
    """The parts of a note, one a line."""
    return note.split("; ") if len(note) > 60 else [note]


def _even(cells: np.ndarray) -> bool:
    """Whether cells as wide as high fit the frame: else a long strip would be a line."""
    rows, columns = cells.shape[:2]
    return max(rows / columns, columns / rows) < 8


def _name(ax: Axes, panel: Panel) -> None:
    """The axes of one tile, in whole numbers."""
    for axis, name in zip((ax.yaxis, ax.xaxis), panel.axes, strict=True):
        axis.set_major_locator(MaxNLocator(integer=True) if name else NullLocator())
        axis.set_label_text(name)


def _number(ax: Axes, panel: Panel) -> None:
    """Tiles are counted along both edges, in steps that leave room."""
    n, rows, columns = panel.tiles.shape
    down = ceil(n / panel.across)
    across = range(0, panel.across, ceil(panel.across / 16))
    ax.set_xticks([c * (columns + 1) + (columns - 1) / 2 for c in across], labels=[str(c) for c in across])
    heads = range(0, down, ceil(down / 16))
    ax.set_yticks([r * (rows + 1) + (rows - 1) / 2 for r in heads], labels=[str(r * panel.step) for r in heads])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _charts(picture: Picture) -> Figure:
    across = 2 if len(picture.charts) > 1 else 1
    down = ceil(len(picture.charts) / across)
    width = FRAME if across > 1 else 7.0
    figure = _figure(width * across, 2.9 * down + 0.6)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax, chart in zip(axes, picture.charts, strict=False):
        _heat(figure, ax, chart) if isinstance(chart, Heat) else _chart(ax, chart, width)
    for ax in axes[len(picture.charts) :]:
        ax.set_visible(False)
    return figure


def _chart(ax: Axes, chart: Chart, width: float) -> None:
    for level in chart.levels:
        ax.axvline(level, color=ZERO, lw=0.6, zorder=0)
    for number, series in enumerate(chart.series):
        if series.edges is not None:
            ax.stairs(series.y, series.edges, fill=len(chart.series) == 1, label=_fitting(series.label, FRAME / 2, 7))
        elif len(series.y) > 1 and chart.across != "feature":
            ax.plot(np.asarray(series.x), series.y, marker=".", label=_fitting(series.label, FRAME / 2, 7))
        else:
            beside = 0.25 * (number - (len(chart.series) - 1) / 2)
            stems: dict[str, Any] = {"linefmt": f"C{number}-", "markerfmt": f"C{number}.", "basefmt": " "}
            ax.stem(np.asarray(series.x) + beside, series.y, label=_fitting(series.label, FRAME / 2, 7), **stems)
    if chart.logarithmic:
        ax.set_yscale("symlog", linthresh=_least(chart))
        # the scale's own formatter wants TeX, which is off for the sake of names
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    notes = [chart.label, *chart.note.split("; ")]
    if len(chart.levels):
        notes.append(f"{len(chart.levels)} levels of the quantizer, grey lines")
    ax.set_title(_title(notes, width))
    ax.set_xlabel(chart.across)
    ax.set_ylabel(chart.up)
    if len(chart.series) > 1:
        ax.legend(fontsize=7)
    _times(ax, chart.names)


def _least(chart: Chart) -> float:
    """The least value that is not 0, below which the scale is linear: 0 is on it too."""
    found = np.concatenate([np.abs(np.asarray(series.y, dtype=np.float64)) for series in chart.series])
    found = found[np.isfinite(found) & (found > 0)]
    return float(found.min()) if found.size else 1.0


def _heat(figure: Figure, ax: Axes, heat: Heat) -> None:
    """Histograms over time; bins without an element have no colour."""
    counts = np.ma.masked_equal(heat.counts, 0)
    times = np.arange(heat.counts.shape[1] + 1) - 0.5
    norm = LogNorm(1, max(int(heat.counts.max(initial=1)), 2))
    drawn = ax.pcolormesh(times, heat.edges, counts, cmap="viridis", norm=norm)
    bar = figure.colorbar(drawn, ax=ax, label="elements")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_title(_title((heat.label, heat.note), FRAME))
    ax.set_xlabel(heat.across)
    ax.set_ylabel("value")
    _times(ax, heat.names)


def _times(ax: Axes, names: tuple[str, ...]) -> None:
    """The names along the axis, as many as there is room for."""
    if names:
        shown = range(0, len(names), ceil(len(names) / 12))
        ax.set_xticks(list(shown), labels=[printable(names[n]) for n in shown])
        ax.set_xlim(-0.5, len(names) - 0.5)
