"""What a recording of a training says of each layer, over time: norms, updates and histograms of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from refconv.errors import BadInput
from refconv.inventory.pictures import Chart, Heat, Picture, Series
from refconv.inventory.recording import Recorded, Recording, Time, read

BINS = 48


@dataclass(frozen=True)
class Course:
    """One weight over time.

    Attributes:
        norms: √Σw² at each time.
        updates: √Σ(w − w′)² / √Σw′² from the time before, w′; NaN at the first time, and where w′ is all zero.
        counts: (bins, times), elements in each bin.
        edges: of the bins, one more; the same at all times.
    """

    norms: np.ndarray
    updates: np.ndarray
    counts: np.ndarray
    edges: np.ndarray


def course(values: Callable[[], Iterator[np.ndarray]]) -> Course:
    """Of a weight's values over time, which are read twice: first for their ends, and one at a time."""
    norms, updates, ends, before = [], [], [], None
    for found in values():
        now = found.astype(np.float64)
        norms.append(float(np.linalg.norm(now)))
        updates.append(np.nan if before is None else _ratio(now - before, before))
        finite = now[np.isfinite(now)]
        ends += [finite.min(), finite.max()] if finite.size else []
        before = now
    edges = _edges(min(ends, default=0.0), max(ends, default=0.0))
    counts = [np.histogram(found[np.isfinite(found)].astype(np.float64), edges)[0] for found in values()]
    return Course(np.array(norms), np.array(updates), np.array(counts).T, edges)


def _ratio(change: np.ndarray, before: np.ndarray) -> float:
    size = float(np.linalg.norm(before))
    return float(np.linalg.norm(change)) / size if size else np.nan


def _edges(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, BINS + 1) if low < high else np.linspace(low - 0.5, low + 0.5, BINS + 1)


def history(
    path: str | Path, layers: Sequence[str] = (), progress: Callable[[str, float | None], None] = lambda w, s: None
) -> Iterator[Picture]:
    """One picture per layer whose path matches any glob (all without globs), at the ends of epochs where there are any.

    Raises:
        UnreadableModel: no recording, or damaged.
        BadInput: fewer than two times, or a glob matches no layer.
    """
    run = read(path)
    times = run.epochs if len(run.epochs) > 1 else run.times
    if len(times) < 2:
        raise BadInput(f"holds {len(times)} times, and a history takes two", where=str(path))
    chosen = _chosen(run, layers)
    for number, layer in enumerate(chosen):
        progress(f"reading {layer}", number / len(chosen))
        yield _picture(run, layer, times)


def _chosen(run: Recording, globs: Sequence[str]) -> list[str]:
    for glob in globs:
        if not any(fnmatchcase(layer, glob) for layer in run.layers):
            hint = "the layers are " + ", ".join([*list(run.layers)[:5], "…"])
            raise BadInput(f"no layer matches {glob!r}", where="--layer", hint=hint)
    return [layer for layer in run.layers if not globs or any(fnmatchcase(layer, glob) for glob in globs)]


def _picture(run: Recording, layer: str, times: Sequence[Time]) -> Picture:
    weights = [weight for weight in run.layers[layer] if np.prod(weight.shape)]
    courses = {_called(run, w, times): course(lambda w=w: w.history(times)) for w in weights}  # type: ignore[misc]
    names, x = tuple(time.label for time in times), np.arange(len(times))
    norms = tuple(Series(name, c.norms, x) for name, c in courses.items())
    updates = tuple(Series(name, c.updates, x) for name, c in courses.items())
    across = "end of epoch" if all(time.whole for time in times) else "epoch:batches"
    charts = (
        Chart("norm", norms, across, "√Σw²", names=names),
        Chart("update", updates, across, "|change| / |weight|", logarithmic=True, names=names),
    )
    heats = tuple(Heat(name, c.counts, c.edges, names, across) for name, c in courses.items())
    return Picture(layer, "history", f"{layer}, history", charts=(*charts, *heats))


def _called(run: Recording, weight: Recorded, times: Sequence[Time]) -> str:
    trained = [run.trainable(weight, time) for time in times]
    return weight.name if all(trained) else f"{weight.name} ({'partly' if any(trained) else 'not'} trainable)"
