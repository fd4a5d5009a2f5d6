"""What a file says → Graph: nested models opened, calls in the order in which Keras runs them, weights in place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats import hdf5_weights, recording, zip_weights
from refconv.formats.architecture import is_subclassed, read_model, read_opaque
from refconv.formats.calling import inherited, meaningful, problem, with_call, with_states
from refconv.formats.execution import execution_order
from refconv.formats.inbound import Call, TensorRef, map_references
from refconv.formats.keras1_structure import completed
from refconv.formats.keras1_weights import converted
from refconv.formats.leaves import Leaf, Path, find_leaves
from refconv.formats.masks import Masks, hidden_by, parted
from refconv.formats.matching import Variable, match
from refconv.formats.model import Layer, Model, at, own_classes
from refconv.formats.operators import Operation, dtype_of, read_operation
from refconv.formats.policies import dtype_policy
from refconv.formats.shapes import input_shape
from refconv.formats.source import Source
from refconv.formats.theano import is_rotated, rotated, rotated_weights, written_on
from refconv.graph import Graph, Node, Origin, Ref, TensorSpec, Weight
from refconv.ops.attributes import Unknown

MAX_NODES = 20_000  # nested models called twice at every level would double without end
PLACED = re.compile(r"(argument|constant)_\d+")  # arguments by position that are no tensors
LAYOUTS = {
    "hdf5": hdf5_weights.find_variables,
    "keras": zip_weights.find_variables,
    "recording": recording.find_variables,
}


def build_graph(source: Source, *, subclassed: bool = False) -> Graph:
    """The graph of a model file; with `subclassed` a subclassed model is read too, as one layer.

    Raises:
        UnreadableModel: the configuration contradicts itself or the weights; names layer and field.
    """
    config = completed(source.config) if source.dialect == "keras1" else source.config
    opaque = subclassed and is_subclassed(config)
    model = read_opaque(config) if opaque else read_model(config, source.dialect, "")
    leaves = list(find_leaves(model, source.dialect))
    with _fitting(source):
        variables = LAYOUTS[source.layout](source.weights, model, leaves)
        weights = {leaf.path: _weights(leaf, variables.get(leaf.path, []), source) for leaf in leaves}
    flat = _Flattening(source.dialect, {leaf.path: leaf for leaf in leaves}, weights)
    outputs = flat.run(model, (), None, {})
    inputs = tuple(flat.roots[ref.layer] for ref in model.inputs)
    return Graph(
        nodes=tuple(flat.nodes),
        inputs=inputs,
        outputs=tuple(outputs),
        specs=tuple(flat.nodes[index].attrs for index in inputs),
        path=source.path,
        format=source.format,
        keras_version=source.keras_version,
        backend=source.backend,
        dialect=source.dialect,
        opaque=model.name if model.opaque else "",
        notes=tuple(_notes(source, model, flat, leaves)),
        strangers=source.strangers,
    )


@contextmanager
def _fitting(source: Source) -> Iterator[None]:
    """Where weights and architecture are two files, an error says so."""
    try:
        yield
    except UnreadableModel as error:
        if not source.architecture:
            raise
        where = f"{source.path} with {source.architecture}"
        what = f"{error.where}: {error.what}" if error.where else error.what
        raise UnreadableModel(f"do not fit together: {what}", where=where, hint=error.hint) from error


def _weights(leaf: Leaf, variables: Sequence[Variable], source: Source) -> dict[str, Weight]:
    found = match(leaf, converted(leaf, variables) if source.dialect == "keras1" else variables)
    if not is_rotated(source.backend, leaf.resolved.type):
        return found
    names = rotated_weights(leaf.resolved.type)
    return {name: rotated(weight) if name in names else weight for name, weight in found.items()}


@dataclass
class _Flattening:
    """Nodes as they are emitted.

    `calls` counts the calls of each layer over the whole model, `roots` are the model's own InputLayers, and `masks`
    are those that come with the nodes' outputs.
    """

    dialect: str
    leaves: Mapping[Path, Leaf]
    weights: Mapping[Path, Mapping[str, Weight]]
    nodes: list[Node] = field(default_factory=list)
    calls: Counter[Path] = field(default_factory=Counter)
    roots: dict[str, int] = field(default_factory=dict)
    masks: Masks = field(init=False)

    def __post_init__(self) -> None:
        self.masks = Masks(self.dialect)

    def run(self, model: Model, path: Path, given: Sequence[Ref] | None, outer: Mapping[str, Any]) -> list[Ref]:
        """Emit one call of `model` on `given` (None for the root); the refs of its outputs.

        `outer` are the arguments that the models around it were called with.
        """
        where = "/".join(path)
        fed = self._inputs(model, path, given)
        made: dict[tuple[str, int], list[Ref] | int] = {}
        for name, number in execution_order(model, where):
            layer = model.layer(name)
            assert layer is not None
            if layer.is_input:
                made[name, 0] = [fed[name]] if name in fed else self._stray_input(layer, where)
            else:
                made[name, number] = self._call(layer, (*path, name), layer.calls[number], made, outer)
        return [_resolve(ref, made, where) for ref in model.outputs]

    def _inputs(self, model: Model, path: Path, given: Sequence[Ref] | None) -> dict[str, Ref]:
        """Root: the InputLayers become the first nodes. Nested: they dissolve into what the model is called on."""
        if given is None:
            return {ref.layer: self._root_input(model.layer(ref.layer)) for ref in model.inputs}
        if len(given) != len(model.inputs):
            raise UnreadableModel(
                f"a model of {len(model.inputs)} inputs is called on {len(given)} tensors",
                where=f"layer {'/'.join(path)}",
            )
        return {ref.layer: tensor for ref, tensor in zip(model.inputs, given, strict=True)}

    def _root_input(self, layer: Layer | None) -> Ref:
        assert layer is not None
        spec = _spec(layer)
        origin = Origin(layer.class_name, self.dialect, layer.config)
        node = Node(len(self.nodes), layer.name, "InputLayer", spec, (), origin, dtype=spec.dtype)
        self.roots[layer.name] = node.index
        return self._emit(node)

    def _stray_input(self, layer: Layer, where: str) -> list[Ref]:
        raise UnreadableModel(f"InputLayer {layer.name!r} is not among input_layers", where=at(where))

    def _call(
        self, layer: Layer, path: Path, call: Call, made: Mapping[Any, Any], outer: Mapping[str, Any]
    ) -> list[Ref] | int:
        where = "/".join(path[:-1])
        positional, arguments = (
            map_references(given, lambda ref: _resolve(ref, made, where))
            for given in (list(call.positional), dict(call.arguments))
        )
        inputs = tuple(_resolve(ref, made, where) for ref in call.inputs)
        call = Call(call.inputs, arguments, tuple(positional))
        if layer.model is not None:
            given = inherited(call, outer)
            self.masks.enter(inputs, given.pop("mask", None))
            return self.run(layer.model, path, inputs, given)
        if self.leaves[path].resolved.operation:
            return self._emit(self._operator(path, inputs, call)).node
        inner = inherited(call, outer) if "training" in call.arguments else outer
        return self._emit(self._node(path, inputs, meaningful(call.arguments), inner)).node

    def _node(
        self, path: Path, inputs: tuple[Ref, ...], arguments: Mapping[str, Any], outer: Mapping[str, Any]
    ) -> Node:
        leaf = self.leaves[path]
        known = leaf.resolved
        inputs, arguments = with_states(known, inputs, arguments)
        attrs, arguments = with_call(known.attrs, arguments)
        known = replace(known, attrs=attrs)
        masks, rest = parted(known, arguments)
        outer = {name: value for name, value in outer.items() if name not in masks}
        reason = known.reason or problem(known, rest, outer, self.dialect)
        under = self.masks.under(known, inputs, masks)
        hidden = "" if reason else hidden_by(known, under)
        self.masks.put(len(self.nodes), known, inputs, masks)
        node = Node(
            len(self.nodes),
            "/".join(path),
            known.type,
            None if reason or hidden else attrs,
            inputs,
            Origin(leaf.layer.class_name, self.dialect, leaf.layer.config),
            self.calls[path],
            self.weights[path],
            arguments,
            known.dtype,
            reason or hidden,
            tuple(sorted(under.makers)) if hidden else (),
            attrs if hidden else None,
            under.roles if hidden else None,
        )
        self.calls[path] += 1
        return node

    def _operator(self, path: Path, inputs: tuple[Ref, ...], call: Call) -> Node:
        leaf = self.leaves[path]
        known, where = leaf.resolved, "/".join(path)
        named = {name: value for name, value in call.arguments.items() if not PLACED.fullmatch(name)}
        try:
            found = read_operation(leaf.layer, call.positional, named, f"layer {where}")
            known = replace(known, reason="", dtype=dtype_of(found, self.nodes))
        except Unknown as error:
            found = Operation(known.type, None, inputs)
            known = replace(known, reason=error.what)
        if self.dialect != "keras3":  # whose operators give no mask on
            self.masks.put(len(self.nodes), known, found.inputs, {})
        origin = Origin(leaf.layer.class_name, self.dialect, leaf.layer.config)
        call_number = self.calls[path]
        self.calls[path] += 1
        return Node(
            *(len(self.nodes), where, found.type, found.attrs, found.inputs, origin, call_number),
            weights=self.weights[path],
            arguments=call.arguments,
            dtype=known.dtype,
            reason=known.reason,
        )

    def _emit(self, node: Node) -> Ref:
        if len(self.nodes) >= MAX_NODES:
            raise UnreadableModel(f"the model makes more than {MAX_NODES} layer calls")
        self.nodes.append(node)
        return Ref(node.index)


def _resolve(ref: TensorRef, made: Mapping[Any, Any], where: str) -> Ref:
    """The tensor that a reference within one model stands for in the graph."""
    found = made[ref.layer, ref.call]
    if isinstance(found, int):
        return Ref(found, ref.output)
    if not 0 <= ref.output < len(found):
        raise UnreadableModel(
            f"output {ref.output} of {ref.layer!r} is used, and it has {len(found)}",
            where=at(where),
        )
    return found[ref.output]


def _spec(layer: Layer) -> TensorSpec:
    where = f"layer {layer.name}"
    shape = input_shape({"config": layer.config})
    if shape is None:
        declared = layer.config.get("batch_shape", layer.config.get("batch_input_shape"))
        problem = "the file does not say" if declared is None else f"{declared!r} is not"
        raise UnreadableModel(f"{problem} the shape of the model's input", where=where)
    if 0 in shape:
        raise UnreadableModel(f"the input's shape {shape} has no elements", where=where)
    config = layer.config
    if "dtype" not in config and "input_dtype" in config:  # Keras 1
        config = {"dtype": config["input_dtype"]}
    return TensorSpec(layer.name, shape, dtype_policy(config, where))


def _notes(source: Source, model: Model, flat: _Flattening, leaves: Sequence[Leaf]) -> list[str]:
    dead = [leaf.name for leaf in leaves if leaf.path not in flat.calls]
    return [
        *source.notes,
        *(f"layer {name} leads to no output and is left out" for name in dead),
        *(f"{name} is a model class of the user's own, read as the graph that it saves" for name in own_classes(model)),
        *written_on(source.backend, leaves),
    ]
