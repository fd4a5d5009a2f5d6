"""Why a framework differs on a file that Theano wrote: it used kernels as they are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refconv.compare.declared import Declared
from refconv.compare.recorded import judge_call
from refconv.formats.theano import is_rotated, rotated_weights, spatial_axes
from refconv.graph import Node
from refconv.ops.base import Context
from refconv.reference.forward import NodeWeights
from refconv.result import FAILING, Verdict
from refconv.trace import Call, Trace

REASON = (
    "the file's `backend` attribute says that Theano wrote this kernel, which is therefore stored rotated by 180°; the "
    "framework ignores that and computes with the kernel as stored (--rebuild lets it run the model that was trained)"
)


def used_as_stored(
    backend: str,
    node: Node,
    call: Call,
    weights: NodeWeights,
    declared: Declared,
    trace: Trace,
    context: Context,
) -> str:
    """REASON where the layer with the kernel as stored is what the framework computed; else ""."""
    if not is_rotated(backend, node.type):
        return ""
    turned = {name: weights.stored[name] for name in rotated_weights(node.type) if name in weights.stored}
    stored = {**weights.stored, **{name: np.flip(w, spatial_axes(w.ndim)) for name, w in turned.items()}}
    again = judge_call(node, call, replace(weights, stored=stored), declared, trace, context)
    return "" if again.verdict in (*FAILING, Verdict.UNVERIFIED) else REASON
