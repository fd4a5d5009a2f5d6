"""What `refconv view` draws, finished: arrays small enough to be looked at, with their scale and their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt

import numpy as np

MOST = 1024  # rows and columns of a panel: more than a screen shows
CELLS = 2048 * 2048  # of all tiles of a panel together
CHANNELS = 32  # of a kernel, each way, where both its channels are laid out


@dataclass(frozen=True)
class Panel:
    """Tiles (n, rows, columns) laid out in rows.

    Attributes:
        across: tiles in a row.
        step: by how much the number of a row's first tile grows from row to row; 1 where rows are counted themselves.
        note: what they are, and what was left out.
        mark: row and column of the worst element of the one tile.
        axes: what the one tile's rows and columns are; "" hides the ticks.
    """

    label: str
    tiles: np.ndarray
    across: int
    step: int
    note: str = ""
    mark: tuple[int, int] | None = None
    axes: tuple[str, str] = ("row", "column")


@dataclass(frozen=True)
class Series:
    """One line or one set of bars: y at each x; `edges` of the bins (one more than y) where they are counts."""

    label: str
    y: np.ndarray
    x: np.ndarray | None = None
    edges: np.ndarray | None = None


@dataclass(frozen=True)
class Chart:
    """Series in one frame, with the levels of a quantizer drawn in; `names` are those of x = 0, 1 …"""

    label: str
    series: tuple[Series, ...]
    across: str
    up: str
    levels: np.ndarray = field(default_factory=lambda: np.array([]))
    logarithmic: bool = False
    note: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heat:
    """Histograms side by side: counts (bins, times), the bins' edges, and the names of the times."""

    label: str
    counts: np.ndarray
    edges: np.ndarray
    names: tuple[str, ...]
    across: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """One file: panels of tiles, or charts.

    Attributes:
        layer: whose it is; "" for a model.
        what: maps, kernels, error, histogram or history.
        limits: of the colour scale, which all panels share; 0 is its middle, or its end where nothing is negative.
        shares: the tiles are errors in units of the bound, and coloured as such.
    """

    layer: str
    what: str
    title: str
    panels: tuple[Panel, ...] = ()
    charts: tuple[Chart | Heat, ...] = ()
    limits: tuple[float, float] = (0.0, 1.0)
    shares: bool = False


def tiled(layer: str, what: str, title: str, panels: Sequence[Panel]) -> Picture:
    """A picture whose panels share one scale, symmetric about 0 where anything is negative."""
    ends = [_ends(panel.tiles) for panel in panels]
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    most = max(-low, high) or 1.0
    return Picture(layer, what, title, tuple(panels), limits=(-most if low < 0 else 0.0, most))


def _ends(tiles: np.ndarray) -> tuple[float, float]:
    """The least and the greatest that are finite, 0 among them."""
    finite = tiles[np.isfinite(tiles)]
    return float(finite.min(initial=0.0)), float(finite.max(initial=0.0))


def square(count: int, rows: int, columns: int) -> int:
    """How many of `count` tiles go side by side, so that all of them fill about a square."""
    return max(1, min(count, ceil(sqrt(count * (rows + 1) / (columns + 1)))))


def maps(label: str, values: np.ndarray, *, channels_first: bool = False) -> Panel:
    """The feature maps of one sample (rows, columns, channels), one tile a channel; (steps, channels) as one tile.

    More axes of space than two are laid one below the other.
    """
    if values.ndim < 3:
        return _matrix(label, np.atleast_2d(values))
    tiles = values if channels_first else np.moveaxis(values, -1, 0)
    tiles = tiles.reshape(len(tiles), -1, tiles.shape[-1])
    kept = min(len(tiles), _room(tiles))
    note = f"{kept} of {len(tiles)} channels" if kept < len(tiles) else f"{kept} channels"
    across = square(kept, *tiles.shape[1:])
    return Panel(label, tiles[:kept], across, across, note)


def _room(tiles: np.ndarray) -> int:
    """How many tiles may be laid out."""
    rows, columns = tiles.shape[1:]
    return max(1, CELLS // ((rows + 1) * (columns + 1)))


def kernels(label: str, values: np.ndarray) -> Panel:
    """A kernel (…, inputs, outputs): a column of tiles for each output channel, a row for each input channel.

    A matrix is one tile; one whose inputs or outputs are one channel has its tiles in a square. Axes of space before
    the last two are laid one below the other.
    """
    if values.ndim < 3:
        return _matrix(label, np.atleast_2d(values))
    inputs, outputs = values.shape[-2:]
    spatial = values.reshape(-1, values.shape[-3], inputs, outputs) if values.ndim > 3 else values[:, None]
    if 1 in (inputs, outputs):
        return maps(label, spatial.reshape(*spatial.shape[:2], -1))
    some = spatial[:, :, :CHANNELS, :CHANNELS]
    tiles = some.transpose(2, 3, 0, 1)
    note = f"inputs down, {tiles.shape[0]} of {inputs}; outputs across, {tiles.shape[1]} of {outputs}"
    return Panel(label, tiles.reshape(-1, *tiles.shape[2:]), tiles.shape[1], 1, note)


def _matrix(label: str, values: np.ndarray) -> Panel:
    """One tile; of one too large to be seen, the element of largest magnitude stands for its neighbours."""
    rows, columns = values.shape
    down, across = ceil(rows / MOST), ceil(columns / MOST)
    note = f"{rows} down × {columns} across"
    if (down, across) != (1, 1):
        padded = np.pad(values, ((0, -rows % down), (0, -columns % across)))
        parts = padded.reshape(-1, down, padded.shape[1] // across, across).transpose(0, 2, 1, 3)
        blocks = parts.reshape(*parts.shape[:2], -1)
        values = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
        note += f", the largest of {down} × {across} shown"
    return Panel(label, values[None], 1, 1, note)


def bars(label: str, named: Sequence[tuple[str, np.ndarray]]) -> Chart:
    """One value per feature."""
    series = tuple(Series(name, values, np.arange(len(values))) for name, values in named)
    return Chart(label, series, "feature", "value")


BINS = 64


def histogram(label: str, named: Sequence[tuple[str, np.ndarray]], levels: np.ndarray | None = None) -> Chart:
    """How often each value occurs, in bins that all series share; how many are exactly 0 is said."""
    finite = [(name, v[np.isfinite(v)].astype(np.float64)) for name, v in named]
    some = np.concatenate([np.zeros(0), *([v.min(), v.max()] for _, v in finite if v.size)])
    ends = some if levels is None else np.concatenate([some, levels])
    low, high = (float(ends.min()), float(ends.max())) if ends.size else (0.0, 0.0)
    edges = np.linspace(*((low, high) if low < high else (low - 0.5, high + 0.5)), BINS + 1)
    series = tuple(Series(name, np.histogram(v, edges)[0], edges=edges) for name, v in finite)
    note = "; ".join(f"{name}: {_zeros(v)}" for name, v in named)
    return Chart(label, series, "value", "elements", np.array([]) if levels is None else levels, True, note)


def _zeros(values: np.ndarray) -> str:
    share = float(np.mean(values == 0)) if values.size else 0.0
    lost = int(np.sum(~np.isfinite(values)))
    said = f"{values.size} elements, {100 * share:.3g} % exactly 0"
    return f"{said}, {lost} not finite" if lost else said
