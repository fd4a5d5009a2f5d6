"""Masks: which go with a tensor from layer to layer, and which a layer is called under.

A mask starts at a Masking, at an Embedding with mask_zero, or where a call names one. Keras 3 writes the masks of
functional models into the calls, as tensors that operators make; elsewhere a file says nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refconv.formats.resolve import Resolved
from refconv.graph import Ref
from refconv.ops.embedding import looks_up
from refconv.ops.merging import Merge

# Layers with a row that take the mask of their input, which Keras hands on unseen.
HEADED = ("MultiHeadAttention", "GroupQueryAttention")
ATTENDING = ("Attention", "AdditiveAttention", *HEADED)
CONVOLUTIONAL = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
STEPPING = tuple(f"{q}{name}" for q in ("", "Q") for name in ("LSTM", "GRU", "SimpleRNN", "Bidirectional"))
RECURRENT = (*STEPPING, *CONVOLUTIONAL)
MEAN = "GlobalAveragePooling1D"
READERS = ("Softmax", MEAN, *ATTENDING, *RECURRENT)
# Layers that give the mask of their input on, in every version of Keras.
KEEPING = (
    "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "BatchNormalization", "LayerNormalization",
    "GroupNormalization", "UnitNormalization", "Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise",
    "AlphaDropout", "ActivityRegularization",
)  # fmt: skip
# Layers whose mask changes what they do in training alone, or what the layer inside does.
UNMOVED = ("BatchNormalization", "TimeDistributed")
ROLES = {"query_mask": "query", "value_mask": "value", "key_mask": "key", "attention_mask": "attention"}


@dataclass(frozen=True)
class Carried:
    """The mask that comes with a tensor.

    Attributes:
        makers: the nodes that it may be made from; none where there is no mask.
        surely: those whose mask it is, element for element, if all of them have the same one; none where versions of
            Keras differ, or it is not known.
    """

    makers: frozenset[int] = frozenset()
    surely: frozenset[int] = frozenset()


NONE = Carried()


@dataclass(frozen=True)
class Under:
    """The masks of a call.

    Attributes:
        makers: the nodes that they may be made from.
        roles: what each hides, and the nodes whose mask it is; None where that is not known for all of them.
    """

    makers: frozenset[int] = frozenset()
    roles: tuple[tuple[str, tuple[int, ...]], ...] | None = None


@dataclass
class Masks:
    """The masks of a graph's tensors, node by node, of a file of one dialect."""

    dialect: str
    _carried: dict[int, Carried] = field(default_factory=dict)

    def of(self, ref: Ref) -> Carried:
        found = self._carried.get(ref.node, NONE)
        return found if ref.output == 0 else Carried(found.makers)

    def under(self, known: Resolved, inputs: Sequence[Ref], named: Mapping[str, Any]) -> Under:
        """What a call is made under; `named` are the masks that it names."""
        found = self._roles(known, inputs, named)
        makers = frozenset[int]().union(*(one.makers for one in found.values()))
        makers = makers.union(*(self.of(ref).makers for ref in inputs))
        held = {role: one for role, one in found.items() if one.makers}
        if not _covered(known) or not all(one.surely for one in held.values()):
            return Under(makers)
        return Under(makers, tuple((role, tuple(sorted(one.surely))) for role, one in held.items()))

    def put(self, index: int, known: Resolved, inputs: Sequence[Ref], named: Mapping[str, Any]) -> None:
        """Set what comes with the outputs of node `index`."""
        before = self.under(known, inputs, named).makers
        if makes_mask(known):
            self._carried[index] = Carried(before | {index}, frozenset([index]))
        elif before and not _ends(known):
            self._carried[index] = Carried(before, self._handed_on(known, inputs, named))
        if self.dialect == "keras3" and known.type == HEADED[0]:
            self._taken(inputs)

    def enter(self, inputs: Sequence[Ref], mask: Any) -> None:
        """A model is called on `inputs` under a mask that the call names: Keras 3 names those that come with them."""
        makers = frozenset(ref.node for ref in _refs(mask))
        for ref in inputs if makers else ():
            if not self.of(ref).makers:  # then somebody named another
                self._carried[ref.node] = Carried(makers)

    def _taken(self, inputs: Sequence[Ref]) -> None:
        """Keras 3's MultiHeadAttention takes the masks off its inputs when it runs: whoever comes later finds none.

        Not where its policy had them cast, and not in every version.
        """
        for ref in inputs:
            if makers := self.of(ref).makers:
                self._carried[ref.node] = Carried(makers)

    def _roles(self, known: Resolved, inputs: Sequence[Ref], named: Mapping[str, Any]) -> dict[str, Carried]:
        """What each mask of the call hides: those that it names before those that come with its inputs."""
        if known.type in HEADED:
            return self._of_heads(known, inputs, named)
        if known.type in ATTENDING:
            given = named.get("mask")
            own = [self.of(ref) for ref in inputs] if not isinstance(given, list) else [_named(v) for v in given]
            return dict(zip(("query", "value"), own, strict=False))
        if not inputs:
            return {}
        given = named.get("mask")
        given = given[0] if isinstance(given, list) else given  # the initial states behind a sequence have none
        if given is not None:
            return {"mask": _named(given)}
        unseen = self.dialect == "keras3" and known.type in RECURRENT and len(inputs) > 1
        return {} if unseen else {"mask": self.of(inputs[0])}  # Keras 3 finds the mask of an only tensor

    def _of_heads(self, known: Resolved, inputs: Sequence[Ref], named: Mapping[str, Any]) -> dict[str, Carried]:
        """Keras 3's MultiHeadAttention leaves out a query's mask that is named and does not come with the query."""
        found = {role: self.of(ref) for role, ref in zip(("query", "value", "key"), inputs, strict=False)}
        for name, role in ROLES.items():
            if named.get(name) is None:
                continue
            given, came = _named(named[name]), found.get(role, NONE)
            unseen = known.type == HEADED[0] and role == "query" and not came.makers
            found[role] = Carried(given.makers) if unseen else given
        return found

    def _handed_on(self, known: Resolved, inputs: Sequence[Ref], named: Mapping[str, Any]) -> frozenset[int]:
        """Whose mask comes with the output. Sums join masks by "and" or by "or": all one, where they are equal."""
        roles = self._roles(known, inputs, named)
        if known.type in (*KEEPING, *STEPPING) or (self.dialect == "keras3" and known.type == "TimeDistributed"):
            return roles.get("mask", self.of(inputs[0])).surely if inputs else NONE.surely
        if known.type in ATTENDING:
            return roles.get("query", NONE).surely
        each = [self.of(ref) for ref in inputs]
        if self.dialect != "keras3":  # where one of them has no mask, the sum has none
            each = [one for one in each if one.makers]
        joined = isinstance(known.attrs, Merge) and all(one.surely for one in each)
        return frozenset[int]().union(*(one.surely for one in each)) if joined else NONE.surely


def parted(known: Resolved, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The masks that a call of a layer names, and its other arguments; a mask that is no tensor stays among those."""
    read = known.type in (*READERS, *UNMOVED)
    masks = {
        name: value
        for name, value in arguments.items()
        if read and (name == "mask" or name in ROLES) and all(isinstance(v, Ref) for v in _given(value))
    }
    return masks, {name: value for name, value in arguments.items() if name not in masks}


def hidden_by(known: Resolved, under: Under) -> str:
    """Why a call has no reference unless its masks are known; "" where it reads none."""
    inside = known.row.core(known.attrs)[0].keras if known.row else known.type
    reads = known.type in READERS or inside in READERS
    return f"no reference for {known.type} under a mask" if under.makers and reads else ""


def makes_mask(known: Resolved) -> bool:
    """True for a layer from which a mask starts, called as its attributes say."""
    return known.type == "Masking" or (getattr(known.attrs, "mask_zero", False) is True and looks_up(known.attrs))


def _covered(known: Resolved) -> bool:
    """Whether there is a reference for a call under masks that hide something: not for attention over several axes."""
    if known.type == MEAN:
        return known.dtype == "float32"  # in 16 bits the number of steps rounds too
    return known.type in (*ATTENDING, *STEPPING) and getattr(known.attrs, "attention_axes", None) in (None, (1,))


def _ends(known: Resolved) -> bool:
    """Whether a layer gives no mask on: where one of the last step, or a mean of them, has no steps."""
    if known.type == MEAN:
        return True
    layer = getattr(known.attrs, "layer", None)
    last = layer.attrs if known.type.endswith("Bidirectional") and layer else known.attrs
    return known.type in RECURRENT and getattr(last, "return_sequences", True) is False


def _named(value: Any) -> Carried:
    """A mask that a call names: what an operator gives."""
    if not isinstance(value, Ref):
        return NONE
    made = frozenset([value.node])
    return Carried(made, made if value.output == 0 else NONE.surely)


def _given(value: Any) -> list[Any]:
    return [v for v in value if v is not None] if isinstance(value, list) else [value]


def _refs(value: Any) -> list[Ref]:
    return [v for v in _given(value) if isinstance(v, Ref)]
