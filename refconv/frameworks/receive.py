"""Frames into a Trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from refconv.trace import Call, Probe, Trace


class Receiver:
    """Takes frames one by one; `trace` holds what has arrived so far."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._again = False  # a pass that has been sent before: where a layer fails, the passes start anew

    def next_slice(self) -> None:
        """The calls of other samples follow, of the same model."""
        seen = self.trace
        self.trace = Trace(seen.environment, planned=seen.planned, plain=seen.plain)

    def take(self, header: dict[str, Any], array: np.ndarray | None) -> None:
        kind, trace = header["kind"], self.trace
        if kind == "environment":
            trace.environment.update(header["environment"])
        elif kind == "planned":
            trace.planned.update(header["calls"])
        elif kind == "pass":
            self._again = header["index"] < len(trace.model_inputs)
            if not self._again:
                trace.model_inputs.append(tuple(header["inputs"]))
        elif kind in ("tensor", "call", "output") and self._again:
            pass
        elif kind == "call":
            trace.calls.append(_call(header))
        elif kind == "probe":
            trace.probes.append(_probe(header))
        elif array is not None:
            self._take_array(kind, header, array)

    def _take_array(self, kind: str, header: dict[str, Any], array: np.ndarray) -> None:
        if kind == "tensor":
            self.trace.tensors[header["key"]] = array
        elif kind in ("plain", "output"):
            (self.trace.plain if kind == "plain" else self.trace.outputs).append(array)


def _call(header: dict[str, Any]) -> Call:
    def keys(field: str) -> tuple[str, ...]:
        return tuple(header[field])

    def named(field: str) -> tuple[tuple[str, str], ...]:
        return tuple((name, key) for name, key in header.get(field, ()))

    return Call(
        layer=header["layer"],
        call=header["call"],
        type=header["type"],
        inputs=keys("inputs"),
        outputs=keys("outputs"),
        seconds=header["seconds"],
        weights=named("weights"),
        steps=named("steps"),
    )


def _probe(header: dict[str, Any]) -> Probe:
    weights = tuple((name, key) for name, key in header["weights"])
    shape, inputs, outputs = (tuple(header[name]) for name in ("shape", "inputs", "outputs"))
    return Probe(header["layer"], shape, inputs, outputs, weights, header["reason"])
