"""pixel(): one output element by hand, beside what the framework computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats, frameworks
from refconv.compare.declared import SINGLE, declare
from refconv.compare.operands import prepare
from refconv.compare.recorded import Seen, seen_of, under_masks
from refconv.compare.stage1 import deviate
from refconv.errors import FrameworkError, UnreadableModel
from refconv.formats.refusals import refuse
from refconv.graph import Graph, Node
from refconv.inputs.place import Place, element
from refconv.numerics.enclosure import Enclosure
from refconv.ops.base import Context
from refconv.pipeline.calls import Calls
from refconv.pipeline.model import draw_inputs
from refconv.pipeline.options import Given, Options, Progress, silent
from refconv.pipeline.target import one_layer, target
from refconv.primitives import engines
from refconv.reference.by_hand import ByHand, by_hand
from refconv.reference.forward import forward, weights_of
from refconv.reference.masks import with_known_masks

NOT_ASKED = "no framework was run"
ALONE = "the framework runs whole models: it has no value for a layer that is fed by hand"


@dataclass(frozen=True)
class Pixel:
    """One element by hand, and beside it the framework's.

    Attributes:
        model: the file.
        radius: how far a conforming execution may be off; 0 where every bit is demanded.
        fed: where the layer's input is from.
        framework: its value; None where there is none, and `reason` says why.
        used: its deviation, as a share of the radius.
        shape: of the layer's output.
    """

    model: str
    by_hand: ByHand
    radius: float
    fed: str
    framework: float | None = None
    used: float | None = None
    reason: str = ""
    shape: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where the framework agrees or was not asked, 1 where it differs, 3 where it gave nothing."""
        if self.framework is None:
            return 0 if self.reason in (NOT_ASKED, ALONE) else 3
        return 0 if self.used is not None and self.used <= 1 else 1


def pixel(
    path: str | Path,
    layer: str,
    at: str | Sequence[int],
    inputs: Given = None,
    *,
    layer_input: Sequence[Any] = (),
    sample: int = 0,
    options: Options | None = None,
    progress: Progress = silent,
    **overrides: Any,
) -> Pixel:
    """One output element of a layer by hand, on the framework's own input to the layer where there is a framework.

    Args:
        path: as of `check`.
        layer: the layer's name.
        at: "H,W,C", or its numbers: the position, then the channel.
        inputs: the model's, as of `check`; or
        layer_input: the layer's own, one array or file for each of its inputs.
        sample: which sample.
        options: see Options; any of its fields may be given as a keyword instead.

    Raises:
        UnreadableModel, BadInput, FrameworkError: see `refconv.errors`.
    """
    options = replace(options or Options(samples=sample + 1), **overrides)
    place = Place(at if isinstance(at, str) else ",".join(map(str, at)), sample=sample)
    if layer_input or not options.framework:
        fed = target(path, layer, inputs, tuple(layer_input), options)
        reason = ALONE if layer_input else NOT_ASKED
        return _pixel(fed.graph, fed.node, fed.inputs, None, place, fed.fed, fed.context, {}, reason)
    return _beside_framework(path, layer, place, inputs, options, progress)


def _beside_framework(
    path: str | Path, layer: str, place: Place, given: Given, options: Options, progress: Progress
) -> Pixel:
    progress("reading the model", None)
    source = formats.accept(path, options.architecture)
    refuse(source)
    whole = formats.load(source)
    node = one_layer(whole, layer)
    with frameworks.Worker(whole.keras if options.keras == "auto" else int(options.keras)) as worker:
        arrays = draw_inputs(whole, given, options)
        graph, known = with_known_masks(whole, arrays)
        stream = worker.stream(
            path,
            arrays,
            mode=options.mode,
            device=options.device,
            qkeras=whole.qkeras,
            timeout=options.timeout,
            progress=progress,
            architecture=options.architecture,
        )
        node = graph.nodes[node.index]
        seen = _recorded(graph, node, stream, dict(zip(graph.inputs, known, strict=True)))
        environment = stream.trace.environment
    if seen is None:
        raise FrameworkError("it gave no output for this layer", where=f"layer {node.name}", hint="try --no-framework")
    context = Context(engines.get(options.engine))
    return _pixel(graph, node, seen.inputs, seen, place, "the framework's own input to the layer", context, environment)


def _recorded(graph: Graph, node: Node, source: frameworks.Stream, arrays: Mapping[int, np.ndarray]) -> Seen | None:
    """The layer's call; what comes before it is forgotten as it arrives, and what comes behind it is not waited for."""
    source.more()
    calls = Calls(graph, source)
    for each in graph.nodes:
        if each.index in graph.inputs:
            continue
        call = calls.of(each)
        if each.index == node.index:
            masks = {index: x for index, x in arrays.items() if graph.nodes[index].type == "mask"}
            return seen_of(node, under_masks(node, call, masks, source.trace), source.trace) if call else None
        if call:
            calls.forget(call)
    return None


def _pixel(
    graph: Graph,
    node: Node,
    inputs: tuple[np.ndarray, ...],
    seen: Seen | None,
    place: Place,
    fed: str,
    context: Context,
    environment: Mapping[str, Any],
    reason: str = "",
) -> Pixel:
    if node.attrs is None:
        raise UnreadableModel(node.reason or "no reference for this layer", where=f"layer {node.name}")
    weights = weights_of(node)
    declared = declare(node, environment, "graph")
    arithmetic = declared.candidates[0] if declared.candidates else SINGLE
    applied, values = prepare(node, weights.applied, inputs, arithmetic)
    enclosure = forward(node, applied, values, replace(context, arithmetic=arithmetic))[0]
    first = getattr(node.attrs, "data_format", None) == "channels_first"
    index = element(place, enclosure.mid.shape, 1 if first and enclosure.mid.ndim > 2 else -1)
    one = _at(enclosure, index)
    shown = by_hand(node, applied, weights.stored, tuple(values), index, float(one.mid))
    found = Pixel(graph.path, shown, float(one.probable), fed, reason=reason, shape=enclosure.mid.shape)
    if seen is None:
        return found
    got = seen.outputs[0]
    if got.shape != enclosure.mid.shape:
        return replace(found, reason=f"the framework's output has shape {got.shape}, which is not the reference's")
    used = float(deviate(one, np.asarray(got[index]), arithmetic.format).used)
    return replace(found, framework=float(got[index]), used=used)


def _at(e: Enclosure, index: tuple[int, ...]) -> Enclosure:
    """One element, 0-d."""
    return Enclosure(*(np.asarray(v[index]) for v in e.full()))
