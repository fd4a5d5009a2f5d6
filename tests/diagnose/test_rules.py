"""Every rule explains the fault that it names, and neither the healthy layer nor another fault.

The wrong outputs are written out here, from the layer's own reference on other arrays, and not by the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from support.asked import CONTEXT, ask, case, codes, conv, drawn, output, why

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import diagnose
from refconv.diagnose.rules.table import RULES
from refconv.graph import Graph, Node, Origin, Weight

BITS = "quantized_bits(4,0,1,alpha=1.0)"
AUTO = "quantized_bits(4,0,1)"


@dataclass(frozen=True)
class Example:
    """A right call, and what a wrong implementation of it gives; `more` is what the question holds besides."""

    right: Case
    wrong: np.ndarray
    more: dict[str, Any] = field(default_factory=dict)


def q_conv(bits: str = BITS, **more: Any) -> Case:
    config = {
        "filters": 4,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "dilation_rate": [1, 1],
        "kernel_quantizer": bits,
        "bias_quantizer": BITS,
        **more,
    }
    return case("QConv2D", config, drawn(2, 6, 6, 2), kernel=drawn(3, 3, 2, 4) * 0.6, bias=drawn(4) * 0.3)


def effective(bits: str, **changes: Any) -> np.ndarray:
    """The kernel of `q_conv` under another quantizer."""
    return dict(q_conv(bits, **changes).weights)["kernel"]


def kernel(right: Case, value: np.ndarray) -> np.ndarray:
    return output(right.with_weights(kernel=value))


def q_activation(quantizer: str, x: np.ndarray | None = None) -> Case:
    given = drawn(2, 5, 5, 3) * 2 if x is None else x
    return case("QActivation", {"activation": quantizer}, given)


def norm() -> Case:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    held = {name: drawn(5, seed=i) for i, name in enumerate(names)}
    held["moving_variance"] = np.abs(held["moving_variance"]) + np.float32(0.01)
    return case("BatchNormalization", {"axis": -1, "epsilon": 1e-3}, drawn(4, 3, 3, 5), **held)


def dense(**more: Any) -> Case:
    return case("Dense", {"units": 6, **more}, drawn(5, 8), kernel=drawn(8, 6), bias=drawn(6))


def pool(kind: str, n: int = 7, **more: Any) -> Case:
    config = {"pool_size": [2, 2], "strides": [2, 2], "padding": "same", **more}
    return case(kind, config, drawn(2, n, n, 3))


def depthwise() -> Case:
    config = {"kernel_size": [3, 3], "strides": [1, 1], "dilation_rate": [1, 1], "depth_multiplier": 2}
    return case("DepthwiseConv2D", config, drawn(2, 6, 6, 3), kernel=drawn(3, 3, 3, 2), bias=drawn(6))


def flipped(right: Case) -> np.ndarray:
    return kernel(right, right.weights["kernel"][::-1, ::-1])


def shifted_back(x: np.ndarray) -> np.ndarray:
    """Windows that start one later: the first row and column fall away, zeros come in."""
    return np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]


def padded_by_hand(right: Case, before: int, after: int, **how: Any) -> np.ndarray:
    pads = ((0, 0), (before, after), (before, after), (0, 0))
    return output(right.with_attrs(padding="valid").with_input(np.pad(right.inputs[0], pads, **how)))


def softmax(z: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(z.astype(np.float64) - z.max(axis, keepdims=True))
    return (e / e.sum(axis, keepdims=True)).astype(np.float32)


def folded() -> Case:
    config = {
        "filters": 4,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "dilation_rate": [1, 1],
        "kernel_quantizer": "quantized_bits(8,1,1,alpha=1.0)",
    }
    held = {"gamma": drawn(4) + 2, "beta": drawn(4, seed=1), "moving_mean": drawn(4, seed=2)}
    held |= {"moving_variance": np.abs(drawn(4, seed=3)) + 1, "iteration": np.float32(0)}
    weights = {"kernel": drawn(3, 3, 2, 4) * 0.4, "bias": drawn(4, seed=4), **held}
    return case("QConv2DBatchnorm", config, drawn(2, 6, 6, 2), **weights)


def unfolded() -> np.ndarray:
    right = folded()
    codes = np.clip(np.rint(right.stored["kernel"].astype(np.float64) * 64), -127, 127)
    return kernel(right, (codes / 64).astype(np.float32))


def elsewhere(bias: np.ndarray) -> Graph:
    """A model with another layer that has this bias."""
    weight = Weight("bias", "other/bias", bias.shape, "float32", lambda: bias)
    other = Node(2, "other", "Dense", None, (), Origin("Dense", "keras3"), weights={"bias": weight})
    return Graph((other,), (), (), (), "model.h5", "hdf5", "3", "tensorflow", "keras3")


def dropout() -> Example:
    right = case("Dropout", {}, drawn(4, 10, 10, 3))
    right = replace(right, node=replace(right.node, origin=Origin("Dropout", "keras3", {"rate": 0.25})))
    x = right.inputs[0]
    kept = np.random.default_rng(1).random(x.shape) >= 0.25
    return Example(right, (x * kept * np.float32(1 / 0.75)).astype(np.float32))


def resized() -> Example:
    """Two pixels to four, corners on corners: 0, 1/3, 2/3, 1."""
    right = case("Resizing", {"height": 4, "width": 4}, drawn(1, 2, 2, 3))
    share = np.array([[1, 0], [2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 1]])
    wrong = np.einsum("ih,jw,nhwc->nijc", share, share, right.inputs[0].astype(np.float64))
    return Example(right, wrong.astype(np.float32))


def tied() -> Example:
    """Half a step above each code: 0.0625, 0.1875 …, away from zero."""
    x = ((np.arange(-12, 12, dtype=np.float32) + 0.5) / 8).reshape(1, -1)[:, 6:18]
    right = q_activation("quantized_bits(4,0,1,alpha=1.0)", x)
    away = np.sign(x) * np.floor(np.abs(x) * 8 + 0.5) / 8
    return Example(right, np.clip(away, -0.875, 0.875).astype(np.float32))


def wrapped() -> Example:
    """Four bits, -8 … 7 times 1/8."""
    right = q_activation("quantized_bits(4,0,0,alpha=1.0)")
    code = np.rint(right.inputs[0].astype(np.float64) * 8)
    return Example(right, (((code + 8) % 16 - 8) / 8).astype(np.float32))


def read_as_last(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(x.shape)


def with_stored_bias() -> Example:
    right = q_conv()
    return Example(right, output(right.with_weights(bias=right.stored["bias"])))


def stored_kernel() -> Example:
    right = q_conv(AUTO)
    return Example(right, kernel(right, right.stored["kernel"]))


def twice_quantized() -> Example:
    right = q_activation("quantized_relu(4,0,negative_slope=0.25)")
    return Example(right, output(right.with_input(output(right))))


def by(right: Case, make: Callable[[Case], np.ndarray], **more: Any) -> Callable[[], Example]:
    return lambda: Example(right, make(right), more)


def altered(right: Case, **weights: Callable[[np.ndarray], np.ndarray]) -> Callable[[], Example]:
    return lambda: Example(right, output(right.with_weights(**{n: f(right.weights[n]) for n, f in weights.items()})))


def stale() -> Example:
    right, others = dense(), {"kernel": drawn(8, 6, seed=9), "bias": drawn(6, seed=9)}
    return Example(right, output(right.with_weights(**others)), {"also": {"old.h5": others}})


def other_bias() -> Example:
    right, bias = dense(), drawn(6, seed=7)
    return Example(right, output(right.with_weights(bias=bias)), {"graph": elsewhere(bias)})


def swapped_statistics(right: Case) -> np.ndarray:
    mean, variance = (right.weights[f"moving_{name}"] for name in ("mean", "variance"))
    return output(right.with_weights(moving_mean=variance, moving_variance=mean))


def batch_normalised(right: Case) -> np.ndarray:
    x = right.inputs[0].astype(np.float64)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    y = (x - mean) / np.sqrt(variance + np.float64(np.float32(1e-3)))
    return (y * right.weights["gamma"] + right.weights["beta"]).astype(np.float32)


ACCEPTED: dict[str, list[Callable[[], Example]]] = {
    "RC101": [stored_kernel],
    "RC102": [with_stored_bias],
    "RC103": [tied],
    "RC104": [lambda: Example(q_conv(), kernel(q_conv(), effective("quantized_bits(4,0,0,alpha=1.0)")))],
    "RC105": [lambda: Example(q_conv(), kernel(q_conv(), effective("quantized_bits(4,1,1,alpha=1.0)")))],
    "RC106": [lambda: Example(q_conv(), kernel(q_conv(), effective("quantized_bits(3,0,1,alpha=1.0)")))],
    "RC107": [
        lambda: Example(q_conv(AUTO), kernel(q_conv(AUTO), effective(BITS))),
        lambda: Example(q_conv(AUTO), kernel(q_conv(AUTO), 2 * q_conv(AUTO).weights["kernel"])),
    ],
    "RC108": [wrapped],
    "RC109": [
        lambda: Example(q_conv(), kernel(q_conv(), effective("quantized_bits(4,0,1,keep_negative=0,alpha=1.0)")))
    ],
    "RC110": [
        twice_quantized,
        by(q_activation("quantized_relu(4)"), lambda right: right.inputs[0]),
        by(q_activation("quantized_relu(4)"), lambda right: np.maximum(right.inputs[0], 0)),
    ],
    "RC111": [
        by(
            q_activation("quantized_relu(8,3)"),
            lambda right: np.minimum(output(right), np.float32(0.5)),
        )
    ],
    "RC201": [
        by(conv(drawn(2, 8, 8, 3), strides=[2, 2]), lambda right: padded_by_hand(right, 1, 0)),
        by(
            pool("AveragePooling2D"),
            lambda right: output(right.with_input(right.inputs[0][:, ::-1, ::-1]))[:, ::-1, ::-1],
        ),
    ],
    "RC202": [
        by(conv(), lambda right: output(right.with_attrs(padding="valid"))),
        by(conv(padding="valid"), lambda right: padded_by_hand(right, 1, 1)),
    ],
    "RC203": [by(conv(), flipped), by(depthwise(), flipped)],
    "RC204": [
        by(conv(), lambda right: kernel(right, right.weights["kernel"].swapaxes(0, 1))),
        by(conv(), lambda right: kernel(right, right.weights["kernel"].reshape(6, 3, 3, 3).transpose(2, 3, 1, 0))),
    ],
    "RC205": [
        by(conv(), lambda right: output(right.with_input(read_as_last(right.inputs[0])))),
        by(conv(), lambda right: output(right).transpose(0, 3, 1, 2)),
    ],
    "RC206": [
        by(conv(), lambda right: output(right).swapaxes(1, 2)),
        by(conv(), lambda right: output(right.with_input(right.inputs[0].swapaxes(1, 2)))),
    ],
    "RC207": [
        by(
            conv(strides=[2, 2], padding="valid"),
            lambda right: output(right.with_input(shifted_back(right.inputs[0]))),
        )
    ],
    "RC208": [
        by(conv(dilation_rate=[2, 2]), lambda right: output(right.with_attrs(dilation_rate=(1, 1)))),
        by(conv(), lambda right: output(right.with_attrs(dilation_rate=(2, 2)))),
    ],
    "RC209": [
        by(depthwise(), lambda right: kernel(right, right.weights["kernel"].swapaxes(-1, -2).reshape(3, 3, 3, 2))),
        by(depthwise(), lambda right: output(right).reshape(2, 4, 4, 3, 2).swapaxes(-1, -2).reshape(2, 4, 4, 6)),
    ],
    "RC210": [by(pool("AveragePooling2D"), lambda right: padded_by_hand(right, 0, 1))],
    "RC211": [
        by(pool("MaxPooling2D", padding="valid"), lambda right: padded_by_hand(right, 0, 1, constant_values=-np.inf))
    ],
    "RC212": [
        by(
            case("Flatten", {}, drawn(2, 3, 4, 5)),
            lambda right: right.inputs[0].transpose(0, 3, 1, 2).reshape(2, -1),
        )
    ],
    "RC213": [by(dense(), lambda right: kernel(right, right.weights["kernel"].reshape(6, 8).T))],
    "RC214": [resized],
    "RC215": [by(conv(), lambda right: padded_by_hand(right, 1, 1, mode="symmetric"))],
    "RC301": [altered(conv(), bias=np.zeros_like), altered(norm(), beta=np.zeros_like)],
    "RC302": [altered(conv(), bias=lambda b: 2 * b), altered(norm(), beta=lambda b: 2 * b)],
    "RC303": [other_bias],
    "RC304": [
        by(dense(activation="softmax"), lambda right: output(right.with_attrs(activation=dense().attrs.activation)))
    ],
    "RC305": [by(dense(activation="softmax"), lambda right: softmax(output(right)))],
    "RC306": [
        by(
            case("Activation", {"activation": "hard_sigmoid"}, drawn(3, 9) * 3),
            lambda right: np.clip(np.float32(0.2) * right.inputs[0] + np.float32(0.5), 0, 1),
        ),
        by(conv(activation="relu"), lambda right: np.minimum(output(right), 6)),
    ],
    "RC307": [
        by(
            case("LeakyReLU", {"negative_slope": 0.3}, drawn(3, 9)),
            lambda right: np.where(right.inputs[0] > 0, right.inputs[0], np.float32(0.01) * right.inputs[0]),
        )
    ],
    "RC308": [by(norm(), lambda right: output(right.with_attrs(epsilon=1e-5)))],
    "RC309": [by(norm(), batch_normalised)],
    "RC310": [by(norm(), swapped_statistics)],
    "RC311": [
        by(norm(), lambda right: right.inputs[0]),
        lambda: Example(folded(), unfolded()),
    ],
    "RC312": [
        by(
            dense(activation="softmax"),
            lambda right: softmax(output(right.with_attrs(activation=dense().attrs.activation)), 0),
        )
    ],
    "RC313": [dropout],
    "RC314": [stale],
}

EXAMPLES = [(code, number) for code, made in ACCEPTED.items() for number in range(len(made))]


def test_every_rule_has_an_example() -> None:
    assert set(ACCEPTED) == {rule.code for rule in RULES if rule.code < "RC400"}


@pytest.mark.parametrize(("code", "number"), EXAMPLES)
def test_a_rule_explains_its_fault(code: str, number: int) -> None:
    example = ACCEPTED[code][number]()
    found = why(example.right, np.ascontiguousarray(example.wrong), **example.more)
    assert not found.before.good
    assert code in codes(found), (codes(found), found.tried[:3])
    assert all(one.fit.good for one in found.found)


@pytest.mark.parametrize(("code", "number"), EXAMPLES)
def test_no_rule_speaks_of_a_healthy_layer_nor_of_values_of_nothing(code: str, number: int) -> None:
    example = ACCEPTED[code][number]()
    healthy = why(example.right, output(example.right), **example.more)
    assert healthy.before.good and not healthy.found
    shape = example.right.inputs[0].shape if code == "RC313" else output(example.right).shape
    nonsense = ask(example.right, drawn(*shape, seed=5), **example.more)
    rules = tuple(rule for rule in RULES if rule.code == code)
    assert not diagnose(nonsense, CONTEXT, rules=rules, seconds=1.0).found
