"""explain(): why an output that somebody got from a layer is not what the model says."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from refconv import formats
from refconv.compare.counterfactuals.base import Case
from refconv.compare.declared import SINGLE, declare
from refconv.compare.plain import FACTOR
from refconv.diagnose.engine import diagnose
from refconv.diagnose.findings import findings
from refconv.diagnose.observation import Observation
from refconv.diagnose.rule import Question
from refconv.errors import BadInput
from refconv.graph import Node
from refconv.inputs.observed import Codes, Observed, observed
from refconv.inputs.place import Place, put
from refconv.numerics.enclosure import Enclosure
from refconv.numerics.moments import Need
from refconv.ops.base import Context, Weights
from refconv.pipeline.options import Given, Options, Progress, silent
from refconv.pipeline.target import Target, Values, one_layer, target
from refconv.reference.forward import forward, weights_of
from refconv.reference.upto import inputs_of
from refconv.result import Explanation, Verdict

LONGEST = 16.0  # seconds: the default of how long is searched for what takes long
LEFT_OUT = "there was no time to try every other input of the model (--seconds)"
SEEDS = (0, 1)  # of runs that round, which tell how far the layers before may move the output


@dataclass(frozen=True)
class Asked:
    """What was observed, and where.

    Attributes:
        output: an array or a file.
        place: which elements of the layer's output.
        codes: how integers become values; None where they are values.
    """

    output: Any
    place: Place = Place()
    codes: Codes | None = None


def explain(
    path: str | Path,
    layer: str,
    output: Any,
    inputs: Given = None,
    *,
    layer_input: Sequence[Any] = (),
    at: str = "",
    channel: int | None = None,
    sample: int | None = None,
    codes: bool = False,
    scale: float | None = None,
    bits: int | None = None,
    also: Sequence[str | Path] = (),
    seconds: float = LONGEST,
    options: Options | None = None,
    progress: Progress = silent,
    **overrides: Any,
) -> Explanation:
    """Compare `output`, which somebody got from a layer, with the reference, and find what explains the difference.

    No framework is run: the layers before this one are computed by the reference.

    Args:
        path, inputs: as of `check`; or
        layer_input: the layer's own inputs, one array or file for each.
        layer: the layer's name.
        output: the whole output, or the part of it that `at`, `channel` and `sample` name: an array, or a file as
            `refconv.inputs.observed` reads it.
        at: "H,W,C", "H,W" or slices of them ("0:3,0:3"): positions, then the channel.
        codes: the output holds integers; value = code · `scale`. Hexadecimal ones have `bits` bits in two's complement.
        also: other files of the same model, whose weights may have been used.
        seconds: from when on neither another input of the model nor another pair of rules is tried, which may take
            long; what is left out is told.
        options: see Options; any of its fields may be given as a keyword instead.

    Raises:
        UnreadableModel, BadInput: see `refconv.errors`.
    """
    started = time.perf_counter()
    options = replace(options or Options(), **overrides)
    asked = Asked(output, Place(at, channel, sample), _codes(codes, scale, bits))
    progress("reading the model", None)
    seen = observed(asked.output, asked.codes)
    progress("computing the layers before", None)
    given = target(path, layer, inputs, layer_input, options, seeds=() if layer_input else SEEDS)
    command = _command(path, layer, asked, inputs, layer_input, also, options)
    progress(f"explaining {given.node.name}", None)
    found = _explained(given, seen, asked, _others(given.node, also, options), command, started + seconds)
    return replace(found, seconds=time.perf_counter() - started)


def _codes(codes: bool, scale: float | None, bits: int | None) -> Codes | None:
    if not codes:
        if scale is not None or bits is not None:
            raise BadInput("is for integer codes", where="--scale" if scale is not None else "--bits", hint="--codes")
        return None
    if scale is None or not np.isfinite(scale) or scale == 0:
        raise BadInput("codes need the value of one code", where="--codes", hint="--scale S, such as 0.125")
    return Codes(scale, bits)


def _explained(
    given: Target, seen: Observed, asked: Asked, also: Mapping[str, Weights], command: str, deadline: float
) -> Explanation:
    node, graph = given.node, given.graph
    none = Explanation(graph.path, node.name, node.type, Verdict.UNVERIFIED, "")
    if node.attrs is None:
        return replace(none, reason=node.reason or "no reference for this layer")
    declared = declare(node, {}, "graph")
    if declared.reason:
        return replace(none, reason=declared.reason)
    weights = weights_of(node)
    shape = _output(node, weights.applied, given.inputs, given.context).mid.shape
    values, place = put(seen, asked.place, shape, given.channel_axis)
    drift = _drift(given, weights.applied)
    reruns = _Reruns(given, deadline)
    question = Question(
        Case(node, weights.applied, given.inputs, weights.stored),
        (Observation(values.values, place, np.asarray(values.resolution) + drift if drift else values.resolution),),
        effective=weights.effective,
        graph=graph,
        also=also,
        candidates=tuple(dict.fromkeys((*declared.candidates, SINGLE))),
        model_inputs=given.arrays or given.inputs,
        rerun=reruns,
    )
    diagnosis = diagnose(question, given.context, seconds=max(0.0, deadline - time.perf_counter()))
    before = diagnosis.before
    return replace(
        none,
        verdict=before.verdict,
        observed=_words(values, place, shape),
        shape=shape,
        error=before.error,
        used=before.used,
        index=before.index,
        findings=findings(question, diagnosis, given.context, command),
        notes=(*_notes(values, shape, place, drift), *([LEFT_OUT] if reruns.left_out else [])),
    )


class _Reruns:
    """Other inputs of the model → the layer's, each computed once: pairs of rules ask again.

    Past the deadline nothing more is computed, and `left_out` says so.
    """

    def __init__(self, given: Target, deadline: float) -> None:
        self._given, self._known, self._deadline = given, dict[bytes, Values](), deadline
        self.left_out = False

    def __call__(self, arrays: Sequence[np.ndarray]) -> Values | None:
        given = self._given
        if given.direct:
            return tuple(arrays)
        key = sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in arrays)).digest()
        if key not in self._known:
            if time.perf_counter() > self._deadline:
                self.left_out = True
                return None
            self._known[key] = inputs_of(given.graph, given.node, arrays, given.context)
        return self._known[key]


def _output(node: Node, weights: Weights, inputs: Values, context: Context) -> Enclosure:
    return forward(node, weights, inputs, replace(context, need=Need.VALUES))[0]


def _drift(given: Target, weights: Weights) -> float:
    """How far the layers before may move an output by rounding: FACTOR times what runs that round show."""
    exact = _output(given.node, weights, given.inputs, given.context).mid
    moved = 0.0
    for inputs in given.drifted:
        if all(np.array_equal(a, b) for a, b in zip(inputs, given.inputs, strict=True)):
            continue
        with np.errstate(all="ignore"):
            apart = np.abs(_output(given.node, weights, inputs, given.context).mid - exact)
        moved = max(moved, float(np.max(apart, initial=0.0, where=np.isfinite(apart))))
    return FACTOR * moved


def _words(values: Observed, place: tuple[np.ndarray, ...] | None, shape: tuple[int, ...]) -> str:
    count, total = values.values.size, int(np.prod(shape))
    largest = float(np.max(values.resolution))
    digits = f", each known to ±{largest:.2g} or better" if largest else ""
    part = f"{count} values" if place is None else f"{count} of {total} values"
    return f"{part} of {values.source}{digits}"


def _notes(
    values: Observed, shape: tuple[int, ...], place: tuple[np.ndarray, ...] | None, drift: float
) -> tuple[str, ...]:
    notes = []
    if place is None and values.shape != shape:
        notes.append(f"the observed output has shape {values.shape}; the layer gives {shape}")
    if drift:
        notes.append(
            f"rounding in the layers before may move these values by {drift:.1e}, which is allowed for "
            "(--layer-input compares more sharply)"
        )
    return tuple(notes)


def _others(node: Node, files: Sequence[str | Path], options: Options) -> dict[str, Weights]:
    """Stored weights of the same layer in other files.

    Raises:
        BadInput: one has no such layer, or weights of other shapes.
    """
    found: dict[str, Weights] = {}
    for file in files:
        other = one_layer(formats.load(file, options.architecture), node.name)
        stored = {name: weight.value for name, weight in other.weights.items()}
        if {n: w.shape for n, w in stored.items()} != {n: w.shape for n, w in node.weights.items()}:
            raise BadInput(f"{file} holds other weights for {node.name}", where="--also")
        found[str(file)] = stored
    return found


def _command(
    path: str | Path,
    layer: str,
    asked: Asked,
    inputs: Given,
    layer_input: Sequence[Any],
    also: Sequence[str | Path],
    options: Options,
) -> str:
    """What shows it again; "…" stands for arrays, which have no name."""
    place, codes = asked.place, asked.codes
    said = [
        *(("--layer-input", _file(each)) for each in layer_input),
        *(("--input", each) for each in (() if layer_input else _fed(inputs))),
        ("--output", _file(asked.output)),
        ("--at", place.at or None),
        ("--channel", place.channel),
        ("--sample", place.sample),
        ("--scale", codes and f"{codes.scale:g}"),
        ("--bits", codes and codes.bits),
        *(("--also", str(file)) for file in also),
        *(("--shape", _named(name, ",".join(map(str, shape)))) for name, shape in options.shapes.items()),
        ("--preprocess", options.preprocess if options.preprocess != "none" else None),
        ("--architecture", options.architecture or None),
    ]
    words = ["refconv", "explain", str(path), layer, *(["--codes"] if codes else [])]
    words += [str(word) for option, value in said if value is not None for word in (option, value)]
    return " ".join(word if word.endswith("…") else shlex.quote(word) for word in words)


def _fed(inputs: Given) -> list[str]:
    if isinstance(inputs, Mapping):
        return [_named(name, _file(each)) for name, each in inputs.items()]
    return [_file(each) for each in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]


def _named(name: str, value: str) -> str:
    return f"{name}={value}" if name else value


def _file(given: Any) -> str:
    path = getattr(given, "path", given)
    return os.fspath(path) if isinstance(path, (str, os.PathLike)) else "…"
