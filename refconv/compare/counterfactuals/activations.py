"""Faults of what follows a sum, or stands alone: the function, its parameters, its axis."""

from __future__ import annotations

from typing import Any

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.activation_layers import ELU, ActivationLayer, LeakyReLU, PReLU, ReLU, Softmax
from refconv.ops.activations import LINEAR, Activation
from refconv.ops.identity import Nothing
from refconv.ops.qkeras_other import QActivation

ALONE = (ReLU, LeakyReLU, ELU, PReLU, Softmax)

# What an implementation is known to compute in place of the function: a cheaper form, or another version's.
VARIANTS = {
    "sigmoid": "hard_sigmoid",
    "hard_sigmoid": "sigmoid",
    "silu": "hard_silu",
    "hard_silu": "silu",
    "elu": "selu",
    "selu": "elu",
    "softmax": "sigmoid",
    "tanh": "softsign",
}


def _function(case: Case) -> Activation:
    return getattr(case.attrs, "activation", LINEAR)


def _active(case: Case) -> bool:
    found = getattr(case.attrs, "activation", None)
    return isinstance(found, Activation) and found != LINEAR


def _inactive(case: Case) -> Case:
    return case.with_attrs(activation=LINEAR)


def _left_out(case: Case) -> Case:
    return case.as_type("Identity", Nothing())


def _varied(case: Case) -> Case:
    return case.with_attrs(activation=Activation(VARIANTS[_function(case).name]))


def _variable(case: Case) -> bool:
    return _active(case) and _function(case).quantizer is None and _function(case).name in VARIANTS


def _approximated(case: Case) -> Case:
    exact = dict(_function(case).parameters).get("approximate", False)
    return case.with_attrs(activation=Activation("gelu", (("approximate", not exact),)))


def _gelu(case: Case) -> bool:
    return _active(case) and _function(case).name == "gelu"


def _other_axis(case: Case) -> Case:
    """The axis before the last, in place of the last."""
    if isinstance(case.attrs, Softmax):
        return case.with_attrs(axis=(-2,))
    return case.with_attrs(activation=Activation("softmax", (("axis", -2),)))


def _over_the_batch(case: Case) -> Case:
    if isinstance(case.attrs, Softmax):
        return case.with_attrs(axis=(0,))
    return case.with_attrs(activation=Activation("softmax", (("axis", 0),)))


def _over_last(case: Case) -> bool:
    if isinstance(case.attrs, Softmax):
        last = case.attrs.axis in ((-1,), (case.inputs[0].ndim - 1,))
    else:
        last = _active(case) and _function(case) == Activation("softmax")
    return last and case.inputs[0].ndim > 1


def _over_one_of_several(case: Case) -> bool:
    """Of a tensor that has another axis beside the batch."""
    return _over_last(case) and case.inputs[0].ndim > 2


def _steeper(case: Case) -> Case:
    """Keras 2's LeakyReLU defaults to 0.3, other frameworks' to 0.2 and 0.01."""
    return case.with_attrs(negative_slope=0.2 if case.attrs.negative_slope == 0.3 else 0.3)


def _unbounded(case: Case) -> Case:
    return case.with_attrs(max_value=None)


def _bounded(case: Case) -> bool:
    return case.attrs.max_value is not None


def _alpha(case: Case) -> Case:
    return case.with_attrs(alpha=2 * case.attrs.alpha)


EVERY: tuple[Any, ...] = (object,)

ROWS = (
    Counterfactual("activation missing", EVERY, _inactive, _active),
    Counterfactual("layer left out", ALONE, _left_out),
    Counterfactual("a variant of the activation", EVERY, _varied, _variable),
    Counterfactual("the other gelu", EVERY, _approximated, _gelu),
    Counterfactual("softmax over another axis", EVERY, _other_axis, _over_one_of_several),
    Counterfactual("softmax over the batch", EVERY, _over_the_batch, _over_last),
    Counterfactual("another slope", (LeakyReLU,), _steeper),
    Counterfactual("maximum ignored", (ReLU,), _unbounded, _bounded),
    Counterfactual("alpha doubled", (ELU,), _alpha),
)

STANDING = (ActivationLayer, QActivation, ReLU, LeakyReLU, ELU)  # one function, applied to every element
