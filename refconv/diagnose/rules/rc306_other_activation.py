"""Another activation, or that of another version.

## What
A function of the same name or family is applied: Keras 2's hard sigmoid for Keras 3's, selu for elu, the approximate
gelu for the exact one, relu6 for relu.

## Why
Names stay and definitions change: hard_sigmoid(1) is 0.7 in Keras 2, 0.667 in Keras 3 and 1 in QKeras. Hardware and
converters put a cheaper function in an expensive one's place.

## Example
Keras 2: clip(0.2x + 0.5, 0, 1); Keras 3: relu6(x + 3)/6.

## Fix
Take the function by the version that wrote the model: `refconv layers` names each one's source.
"""

from collections.abc import Iterator

from refconv.diagnose.alter import by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.activation_layers import ActivationLayer, ReLU, Softmax
from refconv.ops.activations import Activation

ROWS = by_rows("a variant of the activation", "the other gelu", "maximum ignored")
OTHERS = {
    "relu": ("relu6",),
    "relu6": ("relu",),
    "softmax": ("sigmoid", "log_softmax"),
    "sigmoid": ("hard_sigmoid", "hard_sigmoid_keras2"),
    "hard_sigmoid": ("hard_sigmoid_keras2", "sigmoid"),
    "hard_sigmoid_keras2": ("hard_sigmoid", "sigmoid"),
    "tanh": ("hard_tanh", "softsign", "sigmoid"),
    "elu": ("selu", "relu"),
    "selu": ("elu", "relu"),
    "silu": ("hard_silu", "relu", "gelu"),
    "hard_silu": ("silu", "relu"),
    "gelu": ("silu", "relu"),
    "softplus": ("relu",),
}


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    for change in ROWS(question):
        yield Change("", change.case)
    found = getattr(case.attrs, "activation", None)
    if isinstance(found, Activation) and found.quantizer is None:
        for other in OTHERS.get(found.name, ()):
            yield Change(f"{other} for {found.name}", case.with_attrs(activation=Activation(other)))
    elif isinstance(case.attrs, ReLU) and case.attrs.max_value is None:
        yield Change("relu6 for relu", case.with_attrs(max_value=6.0))
    elif isinstance(case.attrs, Softmax):
        yield Change("sigmoid for softmax", case.as_type("Activation", ActivationLayer(Activation("sigmoid"))))


RULE = Rule("RC306", "another activation", __doc__, propose)
