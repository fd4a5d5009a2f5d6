"""What is compared: the weights of a model file, or of a recording at one time, by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from refconv import formats
from refconv.errors import BadInput, UnreadableModel
from refconv.formats.recording import Log, Time
from refconv.formats.source import needs_architecture, read_moment
from refconv.graph import Graph, Node, Weight
from refconv.inventory.recording import Recording, is_recording, read


@dataclass(frozen=True)
class Layer:
    """One layer that has weights. `type` is "" and `node` None where a recording does not say what layers there are."""

    path: str
    type: str
    weights: Mapping[str, Weight]
    node: Node | None = field(default=None, repr=False)

    @property
    def last(self) -> str:
        """Its name inside the model that holds it."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Side:
    """All layers with weights, by path.

    `keras_version` is "" where the file does not say. `log` and `time` are there for a recording.
    """

    label: str
    keras_version: str
    layers: Mapping[str, Layer]
    notes: tuple[str, ...] = ()
    log: Log | None = field(default=None, repr=False)
    time: Time | None = None


def read_side(given: str | Path, architecture: str | Path | None = None) -> Side:
    """A model file, or FILE@TIME of a recording.

    Args:
        given: path; behind the last "@" the label of a time (`Recording.at`), unless a file has that whole name.
        architecture: where the file holds weights alone, what `model.to_json()` gave.

    Raises:
        BadInput: a recording without a time, or a time that it does not hold.
        UnreadableModel: the file is missing, damaged, foreign or inconsistent.
    """
    text = str(given)
    path, at, label = text.rpartition("@")
    if at and not Path(text).exists() and (Path(path).exists() or is_label(label)):
        return _recorded(read(path), label, text)
    if Path(text).is_file() and is_recording(Path(text)):
        raise BadInput("a recording holds many states", where=text, hint=f"say which: {text}@start, {text}@last")
    needed = architecture if architecture and needs_architecture(Path(text)) else None
    return of_graph(formats.load(text, needed, subclassed=True), text)


def file_of(given: str) -> str:
    """The file that `read_side` would open."""
    path, at, _ = given.rpartition("@")
    return path if at and not Path(given).exists() else given


def is_label(text: str) -> bool:
    """Whether `text` can only be a time."""
    return text in ("start", "last") or text.replace(":", "").isdecimal()


def of_graph(graph: Graph, label: str) -> Side:
    """The layers of a graph that have weights; a shared one once."""
    layers: dict[str, Layer] = {}
    for node in graph.nodes:
        if node.weights and node.layer not in layers:
            layers[node.layer] = Layer(node.layer, node.type, node.weights, node)
    left_out = tuple(note for note in graph.notes if "is left out" in note)
    return Side(label, graph.keras_version, layers, left_out)


def _recorded(recording: Recording, label: str, text: str) -> Side:
    from refconv.formats.build import build_graph

    time = recording.at(label)
    try:
        found = of_graph(build_graph(read_moment(recording.log, time)), text)
    except (
        UnreadableModel
    ):  # a subclassed model, or layers that refconv cannot read: the weights are there all the same
        found = _bare(recording, time, text)
    flags = {(w.layer, w.at(time).path): recording.trainable(w, time) for w in recording.weights}
    layers = {path: _flagged(layer, flags) for path, layer in found.layers.items()}
    return replace(found, layers=layers, log=recording.log, time=time)


def _bare(recording: Recording, time: Time, text: str) -> Side:
    layers: dict[str, Layer] = {}
    for path, weights in recording.layers.items():
        held = {}
        for weight in weights:
            then = weight.at(time)
            held[weight.name] = Weight(weight.name, then.path, then.shape, then.dtype, then.read, True, then)
        layers[path] = Layer(path, "", held)
    return Side(text, recording.log.framework.partition(" ")[2], layers)


def _flagged(layer: Layer, flags: Mapping[tuple[str, str], bool]) -> Layer:
    """What the callback saw, not what the configuration says."""
    weights = {n: replace(w, trainable=flags.get((layer.path, w.path), w.trainable)) for n, w in layer.weights.items()}
    return replace(layer, weights=weights)
