"""Recurrent layers, for the laws of `ops/test_laws.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from support.laws import Case

FUNCTIONS = st.sampled_from(["tanh", "relu", "sigmoid", "hard_sigmoid", "linear"])
GATES = st.sampled_from(["sigmoid", "hard_sigmoid", "tanh"])
FLAGS = ("use_bias", "return_sequences", "return_state", "go_backwards", "unroll")


@st.composite
def sequence(draw: st.DrawFn) -> tuple[int, ...]:
    """(N, steps, C)."""
    return tuple(draw(st.integers(1, most)) for most in (3, 5, 4))


@st.composite
def config(draw: st.DrawFn, name: str) -> dict[str, Any]:
    found = {"units": draw(st.integers(1, 4)), "activation": draw(FUNCTIONS)}
    found |= {flag: draw(st.booleans()) for flag in FLAGS}
    if name != "SimpleRNN":
        found["recurrent_activation"] = draw(GATES)
    if name == "GRU":
        found["reset_after"] = draw(st.booleans())
    return found


@st.composite
def recurrent(draw: st.DrawFn, name: str) -> Case:
    """Only Keras 2 lets one choose between a product per gate and one for all."""
    own, major = draw(config(name)), draw(st.sampled_from([2, 3]))
    if major == 2 and name != "SimpleRNN":
        own["implementation"] = draw(st.sampled_from([1, 2]))
    return Case(own, (draw(sequence()),), (major,))


@st.composite
def bidirectional(draw: st.DrawFn) -> Case:
    """Keras 3 refuses a layer that runs backwards unless it is given the other one too."""
    name = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
    forward = draw(config(name))
    given: dict[str, Any] = {"layer": _serialized(name, forward)}
    given["merge_mode"] = draw(st.sampled_from(["sum", "mul", "concat", "ave", None]))
    if draw(st.booleans()):
        other = {**draw(config(name)), "units": forward["units"], "go_backwards": not forward["go_backwards"]}
        other |= {flag: forward[flag] for flag in ("return_sequences", "return_state")}
        given["backward_layer"] = _serialized(name, other)
    alone = forward["go_backwards"] and "backward_layer" not in given
    return Case(given, (draw(sequence()),), (2,) if alone else (2, 3))


def _serialized(name: str, config: dict[str, Any]) -> dict[str, Any]:
    named = {"name": name.lower(), **config}
    return {"module": "keras.layers", "class_name": name, "config": named, "registered_name": None}


@st.composite
def convolutional(draw: st.DrawFn, rank: int) -> Case:
    """A kernel never larger than the image where there is no padding; strides or dilation, not both."""
    own = {"filters": draw(st.integers(1, 2)), "activation": draw(FUNCTIONS), "recurrent_activation": draw(GATES)}
    own |= {flag: draw(st.booleans()) for flag in ("use_bias", "return_sequences", "return_state", "go_backwards")}
    own["kernel_size"] = [draw(st.integers(1, 3)) for _ in range(rank)]
    own["padding"] = draw(st.sampled_from(["same", "valid"]))
    name = draw(st.sampled_from(["strides", "dilation_rate"]))
    own[name] = [draw(st.integers(1, 2))] * rank
    least = [(size - 1) * 2 + 1 for size in own["kernel_size"]]
    spatial = [low + draw(st.integers(0, 2)) for low in least]
    return Case(own, ((draw(st.integers(1, 2)), draw(st.integers(1, 3)), *spatial, draw(st.integers(1, 2))),))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "LSTM": recurrent("LSTM"),
    "GRU": recurrent("GRU"),
    "SimpleRNN": recurrent("SimpleRNN"),
    "Bidirectional": bidirectional(),
    **{f"ConvLSTM{rank}D": convolutional(rank) for rank in (1, 2, 3)},
}
