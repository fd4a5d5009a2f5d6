"""Which rule describes which fault operator; and operators for rules that detection's have no fault of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from detection.operators import table
from detection.operators.base import CONVOLUTIONS, DENSE, POOLING, TRANSPOSED, Mutant, Operator, structural
from detection.operators.quantized import QUANTIZED, _copied, replaced
from detection.operators.values import ACTIVATIONS
from detection.operators.weights import planted
from detection.subject import Subject

from refconv.ops.activations import Activation

Rng = np.random.Generator

# Operators without a rule, and why: sizes (one weight, a channel, a scale) are no convention; channels, filters or
# biases in another order are none that an implementation is known for; nor are another layer's output, a lost branch,
# a mean over N - 1, NaN in a maximum, a parameter averaged away, gamma and beta swapped; average for maximum, and
# Keras 2's scale of a batch three times as large, are not among the rules of the issue. Weights in another format and
# TF32 belong to RC4xx, a rescaling by 256 to RC5xx.
RULES: dict[str, str] = {
    "kernel flipped": "RC203",
    "kernel H/W swapped": "RC204",
    "kernel axes transposed": "RC204",
    "group order": "RC209",
    "bias missing": "RC301",
    "bias doubled": "RC302",
    "SAME side": "RC201",
    "stride offset": "RC207",
    "dilation ignored": "RC208",
    "dilation doubled": "RC208",
    "wrong border": "RC215",
    "padding sides swapped": "RC201",
    "average divisor counts padding": "RC210",
    "H and W swapped": "RC206",
    "flatten order": "RC212",
    "epsilon of another library": "RC308",
    "moving statistics swapped": "RC310",
    "batch statistics": "RC309",
    "dropout active": "RC313",
    "activation variant": "RC306",
    "pre-activation output": "RC304",
    "resizing with corners aligned": "RC214",
    "raw for quantized weights": "RC101",
    "raw for quantized bias": "RC102",
    "tie rule": "RC103",
    "symmetric clip": "RC104",
    "one integer bit": "RC105",
    "one bit less": "RC106",
    "normalisation not folded": "RC311",
}


def _padding_mode(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """VALID for SAME, and SAME for VALID."""
    other = "valid" if str(s.layer.padding).lower() == "same" else "same"
    with s.changed(padding=other):
        return Mutant(s.rerun())


def _channels_first(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The input's bytes read as channels first."""
    x = s.x
    if x.ndim != 4 or getattr(s.layer, "data_format", "channels_last") == "channels_first":
        return None
    return Mutant(s.run((np.moveaxis(x.reshape(len(x), x.shape[-1], *x.shape[1:-1]), 1, -1),)))


def _ceil(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """One window more, where VALID leaves a rest."""
    if str(s.layer.padding).lower() != "valid" or getattr(s.layer, "data_format", "") == "channels_first":
        return None
    extents = getattr(s.layer, "kernel_size", None) or s.layer.pool_size
    strides, widths = s.layer.strides or extents, [(0, 0)]
    for n, k, step in zip(s.x.shape[1:3], extents, strides, strict=True):
        rest = (n - k) % step
        widths.append((0, step - rest if rest else 0))
    if not any(map(any, widths)):
        return None
    fill = -np.inf if s.node.type == "MaxPooling2D" else 0.0
    return Mutant(s.rerun((np.pad(s.x, [*widths, (0, 0)], constant_values=fill),)))


def _twice(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The activation applied to its own result."""
    if s.node.type in ("ReLU", "LeakyReLU", "PReLU", "Softmax", "ELU", "Activation"):
        return Mutant(s.rerun((s.run()[0],)))
    found = getattr(s.node.attrs, "activation", None)
    if not isinstance(found, Activation) or found.name == "linear" or found.quantizer is not None:
        return None
    return Mutant(s.compute(s.layer.activation, s.run()[0]))


def _over_batch(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """A softmax over the samples."""
    found = getattr(s.node.attrs, "activation", None)
    if not isinstance(found, Activation) or found.name != "softmax":
        return None
    with s.changed(activation=lambda x: s.tf.nn.softmax(x, axis=0)):
        return Mutant(s.rerun())


def _copy(**changes: Any) -> Callable[[Subject, float, Rng], Mutant | None]:
    def make(s: Subject, size: float, rng: Rng) -> Mutant | None:
        def other(q: Any) -> Any:
            if not set(changes) <= set(vars(q)):
                return None
            return _copied(q, **{name: value(q) if callable(value) else value for name, value in changes.items()})

        return replaced(s, other)

    return make


def _endless(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """A quantizer without ends: sixteen bits more in front."""

    def make(q: Any) -> Any:
        fixed = {"integer", "bits"} <= set(vars(q)) and not isinstance(getattr(q, "alpha", None), str)
        return _copied(q, bits=q.bits + 16, integer=q.integer + 16) if fixed else None

    return replaced(s, make)


def _lost(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The upper bound that no file holds."""

    def make(q: Any) -> Any:
        if "is_quantized_clip" not in vars(q):
            return None
        return _copied(q, relu_upper_bound=0.5, is_quantized_clip=False)

    return replaced(s, make)


def _other_bias(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The bias of the nearest layer that has one of this length; `Diagnosed` gives the graph by `neighbours`."""
    if "bias" not in s.node.weights:
        return None
    shape = s.node.weights["bias"].shape
    others = [w for w in neighbours(s) if w.shape == shape]
    return planted(s, {"bias": others[0]}) if others else None


NEIGHBOURS: dict[int, list[np.ndarray]] = {}


def neighbours(s: Subject) -> list[np.ndarray]:
    """The biases of the other layers of the subject's model, the nearest first."""
    return NEIGHBOURS.get(s.node.index, [])


def _stale(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The weights of another checkpoint: all of them off by some percent."""
    return planted(s, stale(s))


def stale(s: Subject) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(len(s.node.name))
    held = {name: s.value(name) for name in s.node.weights if name in ("kernel", "bias", "gamma", "beta")}
    return {n: (w * rng.uniform(0.9, 1.1, w.shape)).astype(np.float32) for n, w in held.items()}


EXTRA: tuple[tuple[Operator, str], ...] = (
    (structural("alpha of 1", _copy(alpha=1.0), *QUANTIZED), "RC107"),
    (structural("no ends", _endless, *QUANTIZED), "RC108"),
    (structural("sign bit", _copy(keep_negative=lambda q: not q.keep_negative), *QUANTIZED), "RC109"),
    (structural("lost upper bound", _lost, "QActivation"), "RC111"),
    (structural("padding mode", _padding_mode, *CONVOLUTIONS, *POOLING, *TRANSPOSED), "RC202"),
    (structural("input read as channels first", _channels_first, *CONVOLUTIONS, *POOLING), "RC205"),
    (structural("ceil for floor", _ceil, *CONVOLUTIONS, *POOLING), "RC211"),
    (structural("bias of another layer", _other_bias, *CONVOLUTIONS, *DENSE), "RC303"),
    (structural("activation twice", _twice, *ACTIVATIONS, *CONVOLUTIONS, *DENSE), "RC305"),
    (structural("softmax over the batch", _over_batch, *DENSE, "Activation"), "RC312"),
    (structural("another checkpoint", _stale, *CONVOLUTIONS, *DENSE, "BatchNormalization"), "RC314"),
)


def operators() -> list[tuple[Operator, str]]:
    """Every operator that a rule describes, and the rule's code."""
    return [(o, RULES[o.name]) for o in table.OPERATORS if o.name in RULES] + list(EXTRA)


def true_rule(code: str, s: Subject) -> str | None:
    """The rule that describes the fault in this layer; None where none does."""
    kind, found = s.node.type, getattr(s.node.attrs, "activation", None)
    quantized = isinstance(found, Activation) and found.quantizer is not None
    if type(s.outer).__name__ == "PruneLowMagnitude" and code in ("RC203", "RC204"):
        return None  # the wrapper multiplies the moved kernel by its mask, where it was before: another fault
    if code == "RC204" and kind in DENSE:
        return "RC213"
    if code == "RC304" and (kind == "QActivation" or quantized):
        return "RC110"
    if code == "RC306" and kind == "LeakyReLU":
        return "RC307"
    if code == "RC306" and (kind == "PReLU" or (isinstance(found, Activation) and found.name == "tanh")):
        return None  # its mean for a parameter; another scaling of tanh: no known convention
    return code
