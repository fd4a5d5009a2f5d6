"""Every layer of a model, timed alone on the input that it had in the model: TensorFlow's call and the reference's.

TensorFlow's is the live layer in a traced function, called once before (traced, memory laid out), on tensors that lie
on its device; its call's own overhead, some 0.1 ms, is part of it. The reference's is what a verdict needs of the
enclosure: values and the sums behind the probable bound, with plain float32 arrays given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from detection.subject import find_layer
from support.live import capture_live, framework

from refconv.compare.match import match
from refconv.compare.recorded import Seen, seen_of
from refconv.frameworks.worker.loading import load_model
from refconv.frameworks.worker.recording import as_is
from refconv.graph import Node
from refconv.numerics.moments import Need
from refconv.ops.base import Context
from refconv.pipeline import Options, draw_inputs
from refconv.primitives import engines
from refconv.reference.forward import forward, step_names, stepwise, weights_of
from speed.files import File
from speed.peers import NUMPY, REFCONV, Call
from speed.timed import CPU, GPU, Layer, Untimed
from speed.timing import Measured, agree, interleaved

ENGINES = {REFCONV: "numba", NUMPY: "numpy"}
SHORT, REST = 0.005, 0.02  # seconds, as in `timing`, but for hundreds of layers


@dataclass(frozen=True)
class Device:
    """Where TensorFlow runs a layer. `wait` returns when all that was begun there has ended."""

    name: str
    place: str
    wait: Callable[[], None]


def devices(tf: Any) -> list[Device]:
    """The CPU, and the first GPU that TensorFlow sees. Calls on a CPU are done when they return."""
    found = [Device(CPU, "/CPU:0", lambda: None)]
    if tf.config.list_physical_devices("GPU"):
        found.append(Device(GPU, "/GPU:0", tf.test.experimental.sync_devices))
    return found


def gpu(tf: Any) -> str:
    """The first GPU's name, or that there is none."""
    found = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(found[0]).get("device_name", "unknown") if found else "no GPU"


def layers(file: File, batch: int, rounds: int) -> Iterator[Layer | Untimed]:
    """Every layer in the graph's order."""
    graph, parts = file.graph, framework(file.graph.keras)
    arrays = draw_inputs(graph, None, Options(samples=batch))
    tf = parts.backend.tf
    where = devices(tf)
    live = {}
    for device in where:
        with tf.device(device.place):
            live[device.name] = load_model(parts, str(file.path), graph.qkeras)
    trace = capture_live(live[where[0].name], arrays, keras=graph.keras)
    calls = match(graph, trace)
    for node in graph.nodes:
        if node.index in graph.inputs:
            continue
        try:
            if node.attrs is None or node.index not in calls:
                raise LookupError(node.reason or "the framework made no call that could be matched")
            seen = seen_of(node, calls[node.index], trace)
            peers = {d.name: called(tf, find_layer(live[d.name], node.layer), seen.inputs, d) for d in where}
            seconds = timed(node, seen, peers, rounds)
            yield Layer(file.name, node.name, node.type, seen.outputs[0].shape, seconds)
        except Exception as error:  # whatever keeps a layer from being called alone is told
            yield Untimed(file.name, node.name, node.type, str(error).strip().split("\n")[0])


def timed(node: Node, seen: Seen, peers: Mapping[str, Call], rounds: int) -> dict[str, Measured]:
    """Both engines and all of TensorFlow's devices, in turn, after a warm-up in which they must agree."""
    calls: dict[str, Call] = {name: reference(node, seen, engine) for name, engine in ENGINES.items()}
    expected = calls[REFCONV]()
    agree("the NumPy engine", calls[NUMPY](), expected)
    for name, call in peers.items():
        agree(name, np.asarray(call()), expected)
    return interleaved({**calls, **peers}, rounds, short=SHORT, rest=REST)


def reference(node: Node, seen: Seen, engine: str) -> Callable[[], np.ndarray]:
    """The first output's values, and the sums that its verdict needs beside them."""
    context = replace(Context(engines.get(engine)), need=Need.PROBABLE)
    weights = {**weights_of(node).applied, **seen.weights}
    if step_names(node):
        return lambda: stepwise(node, weights, seen.inputs, seen.steps, context).outputs[0].mid
    return lambda: forward(node, weights, seen.inputs, context)[0].mid


def called(tf: Any, layer: Any, inputs: Sequence[np.ndarray], device: Device) -> Call:
    """The layer's compiled call on tensors that lie on the device; the first output."""
    if layer is None:
        raise LookupError("an operation of the graph, which is no layer to be called alone")
    with tf.device(device.place):
        tensors = [tf.constant(x) for x in inputs]

    def call(*xs: Any) -> Any:
        with tf.device(device.place):
            return layer(list(xs) if len(xs) > 1 else xs[0], training=False)

    function = tf.function(as_is(call))

    def run() -> Any:
        output = function(*tensors)
        device.wait()
        return tf.nest.flatten(output)[0]

    return run
