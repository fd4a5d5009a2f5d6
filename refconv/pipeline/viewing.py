"""What `refconv view` shows of a model: computed here, drawn in `report`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from refconv import formats
from refconv.compare.selection import select
from refconv.errors import BadInput, UnreadableModel
from refconv.graph import Graph, Node
from refconv.inventory import pictures
from refconv.inventory.history import history
from refconv.inventory.pictures import Panel, Picture
from refconv.inventory.recording import is_recording
from refconv.inventory.weights import LayerWeight, LayerWeights, of_graph
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.ops.slots import quantizers
from refconv.pipeline.model import check, draw_inputs
from refconv.pipeline.options import Given, Options, Progress, silent
from refconv.primitives import engines
from refconv.quantizers.base import LINEAR, Quantizer
from refconv.reference.chained import Chain, mids
from refconv.reference.forward import forward, weights_of
from refconv.reference.masks import with_known_masks
from refconv.result import Comparison, LayerResult, Spread

LEVELS = 256  # of a quantizer, as many as are drawn


@dataclass(frozen=True)
class Viewed:
    """A model, and what it is called beside another; "" where it is alone."""

    graph: Graph
    path: str
    label: str

    def called(self, *words: str) -> str:
        return ", ".join(filter(None, (self.label, *words)))


def view(
    path: str | Path,
    inputs: Given = None,
    *,
    what: Sequence[str] = (),
    compare: str | Path | None = None,
    options: Options | None = None,
    progress: Progress = silent,
) -> Iterator[Picture]:
    """Pictures of the layers that `options.layers` selects, kind by kind in the order of `what`.

    Args:
        path: a model file, or a recording.
        inputs: as of `check`; of several samples the first is shown.
        what: of maps, kernels, error and histogram, the first two by default; of a recording, history.
        compare: another model, whose layers of the same names are shown beside, on the same scale.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`; also where nothing is left to show.
    """
    options = options or Options()
    progress("reading the model", None)
    if is_recording(Path(path)):
        yield from _history(path, what, compare, options, progress)
        return
    what = what or ("maps", "kernels")
    if "history" in what:
        hint = "refconv.keras.WeightRecorder writes one"
        raise BadInput("is a model, and only a recording has a history", where=str(path), hint=hint)
    files = [str(path)] if compare is None else [str(path), str(compare)]
    labels = [""] if compare is None else _labels(files)
    models = [Viewed(formats.load(f, options.architecture), f, label) for f, label in zip(files, labels, strict=True)]
    values = [_values(m, inputs, options, progress) if {"maps", "histogram"} & set(what) else {} for m in models]
    shown = 0
    for kind in what:
        for picture in _KINDS[kind](models, values, inputs, options, progress):
            shown += 1
            yield picture
    if not shown:
        raise BadInput(f"the layers chosen have no {' or '.join(what)}", where="--layer")


def _history(
    path: str | Path, what: Sequence[str], compare: str | Path | None, options: Options, progress: Progress
) -> Iterator[Picture]:
    if others := [kind for kind in what if kind != "history"]:
        raise BadInput(f"is a recording, which has no {' or '.join(others)}", where=str(path), hint="--what history")
    if compare is not None:
        raise BadInput("is a recording, which is shown alone", where=str(path), hint="leave --compare out")
    yield from history(path, options.layers, progress)


def _labels(files: Sequence[str]) -> list[str]:
    """What tells two files apart: their names, else the ends of their paths from where those differ, else numbers."""
    parts = [Path(file).absolute().parts for file in files]
    for length in range(1, max(map(len, parts))):
        ends = ["/".join(part[-length:]) for part in parts]
        if len(set(ends)) == len(ends):
            return ends
    return [f"{Path(file).name} ({number})" for number, file in enumerate(files, 1)]


Values = Mapping[str, tuple[np.ndarray, Node]]  # the first sample of a layer's output, by the layer's name
Kind = Callable[[Sequence[Viewed], Sequence[Values], Given, Options, Progress], Iterator[Picture]]


def _values(model: Viewed, given: Given, options: Options, progress: Progress) -> Values:
    """What the reference computes of the selected layers, on its own values from the model's input."""
    wanted = select(model.graph, options.layers)
    graph, arrays = with_known_masks(model.graph, draw_inputs(model.graph, given, options))
    chain, context = Chain(graph, arrays), Context(engines.get(options.engine), need=Need.VALUES)
    found: dict[str, tuple[np.ndarray, Node]] = {}
    for node in graph.nodes[: max(wanted) + 1]:
        if node.index in graph.inputs:
            continue
        progress(f"computing {node.name}", node.index / (max(wanted) + 1))
        if node.attrs is None:
            hint = "layers before it can be viewed, with --layer"
            raise UnreadableModel(node.reason or "no reference", where=f"layer {node.name}", hint=hint)
        outputs = mids(forward(node, weights_of(node).applied, chain.inputs(node) or (), context))
        chain.put(node, outputs)
        if node.index in wanted and outputs[0].ndim and len(outputs[0]):
            found[node.name] = (outputs[0][0].astype(np.float32), node)
    return found


def _both(found: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """The names in the first that are in every one."""
    return (name for name in found[0] if all(name in other for other in found))


def _maps(
    models: Sequence[Viewed], values: Sequence[Values], given: Given, options: Options, progress: Progress
) -> Iterator[Picture]:
    for name in _both(values):
        named = [(m.label, *found[name]) for m, found in zip(models, values, strict=True)]
        title = f"{name}, output"
        if named[0][1].ndim < 2:
            chart = pictures.bars("", [(label, v.ravel()) for label, v, _ in named])
            yield Picture(name, "maps", title, charts=(chart,))
        else:
            yield pictures.tiled(name, "maps", title, [_map(*one) for one in named])


def _map(label: str, values: np.ndarray, node: Node) -> Panel:
    first = getattr(node.attrs, "data_format", "") == "channels_first"
    return pictures.maps(label, values, channels_first=first)


def _weights(model: Viewed, options: Options) -> dict[str, LayerWeights]:
    wanted = select(model.graph, options.layers)
    chosen = {node.layer for node in model.graph.nodes if node.index in wanted}
    return {layer: found for layer, found in of_graph(model.graph).items() if layer in chosen}


def _kernels(
    models: Sequence[Viewed], values: Sequence[Values], given: Given, options: Options, progress: Progress
) -> Iterator[Picture]:
    found = [_weights(model, options) for model in models]
    for layer in _both(found):
        for name, weight in found[0][layer].items():
            if len(weight.shape) < 2 or not all(name in f[layer] for f in found):
                continue
            progress(f"reading {layer}", None)
            panels = [p for m, f in zip(models, found, strict=True) for p in _kernel(m, f[layer][name])]
            yield pictures.tiled(layer, "kernels", f"{layer}, {name}", panels)


def _kernel(model: Viewed, weight: LayerWeight) -> Iterator[Panel]:
    """What is stored, and what the layer multiplies by where that is something else."""
    parts = _stored_effective(weight)
    for word, values in parts:
        yield pictures.kernels(model.called(word if len(parts) > 1 else ""), values)


def _stored_effective(weight: LayerWeight) -> list[tuple[str, np.ndarray]]:
    parts = [("effective", weight.effective)] if weight.slot is not None or weight.stored is None else []
    return parts if weight.stored is None else [("stored", weight.stored), *parts]


def _histograms(
    models: Sequence[Viewed], values: Sequence[Values], given: Given, options: Options, progress: Progress
) -> Iterator[Picture]:
    weighed = [_weights(model, options) for model in models]
    for name in _both(values):
        nodes = [found[name][1] for found in values]
        layers = [w.get(node.layer) for w, node in zip(weighed, nodes, strict=True)]
        progress(f"counting {name}", None)
        charts = [_of_weight(models, layers, weight) for weight in layers[0] or ()]
        outputs = [(m.called("output"), found[name][0].ravel()) for m, found in zip(models, values, strict=True)]
        charts.append(pictures.histogram("output", outputs, _output_levels(nodes[0], outputs[0][1])))
        yield Picture(name, "histogram", f"{name}, weights and output", charts=tuple(filter(None, charts)))


def _of_weight(models: Sequence[Viewed], layers: Sequence[LayerWeights | None], name: str) -> pictures.Chart | None:
    found = [(m, layer[name]) for m, layer in zip(models, layers, strict=True) if layer is not None and name in layer]
    series = [(m.called(word), values.ravel()) for m, w in found for word, values in _stored_effective(w)]
    if not any(values.size for _, values in series):
        return None
    return pictures.histogram(name, series, _levels_of(found[0][1]))


def _levels_of(weight: LayerWeight) -> np.ndarray | None:
    """The values that a quantized weight may have; those that it has where its scale is not one number."""
    if weight.slot is None or weight.slot.quantizer is None:
        return None
    return _levels(weight.slot.quantizer, weight.effective)


def _output_levels(node: Node, values: np.ndarray) -> np.ndarray | None:
    if node.attrs is None:
        return None
    found = quantizers(node.attrs)
    quantizer = found.get("activation") or found.get("quantizer")
    return _levels(quantizer, values) if quantizer else None


def _levels(quantizer: Quantizer, values: np.ndarray) -> np.ndarray | None:
    codes, ends = quantizer.codes_range, quantizer.range
    if codes is not None and ends is not None and quantizer.coding == LINEAR and codes[1] - codes[0] < LEVELS:
        return np.linspace(*ends, codes[1] - codes[0] + 1)
    present = np.unique(values)
    return present.astype(np.float64) if len(present) <= LEVELS else None


def _errors(
    models: Sequence[Viewed], values: Sequence[Values], given: Given, options: Options, progress: Progress
) -> Iterator[Picture]:
    checked = replace(options, spread=True)
    results = [check(model.path, given, options=checked, progress=progress) for model in models]
    found = [{layer.name: layer for layer in result.layers} for result in results]
    for name in _both(found):
        layers = [f[name] for f in found]
        panels = [_error(m, layer, layer.worst) for m, layer in zip(models, layers, strict=True) if layer.worst]
        kept = [panel for panel in panels if panel is not None]
        if kept:
            title = f"{name}, error in units of the bound"
            yield Picture(name, "error", title, tuple(kept), shares=True)


def _error(model: Viewed, layer: LayerResult, worst: Comparison) -> Panel | None:
    if worst.spread is None or not worst.spread.grid:
        return None
    tiles, element = np.array(worst.spread.grid)[None], worst.worst
    panel = Panel(model.label, tiles, 1, 1, layer.verdict.value, axes=_named(worst.spread))
    if element is None or not worst.bound_used:
        return replace(panel, note=f"{panel.note}: every element is equal")
    said = f"expected {element.expected:.9g} got {element.got:.9g} allowed ±{element.allowed:.1e}"
    place = "[" + ",".join(map(str, element.index)) + "]"
    return replace(panel, note=f"{panel.note}; worst at {place}; {said}", mark=worst.spread.place(element.index))


def _named(spread: Spread) -> tuple[str, str]:
    def named(axis: int | None, cell: int) -> str:
        return "" if axis is None else f"axis {axis}" + (f", {cell} elements a cell" if cell > 1 else "")

    down, across = map(named, spread.axes, spread.cell)
    return down, across


_KINDS: Mapping[str, Kind] = {"maps": _maps, "kernels": _kernels, "histogram": _histograms, "error": _errors}
