"""Another slope.

## What
Negative inputs are multiplied by another slope, or a unit's alpha is another.

## Why
LeakyReLU's default is 0.3 in Keras, 0.2 in tf.nn, 0.01 in PyTorch and ONNX; ELU's alpha is 1 mostly.

## Example
-1 becomes -0.3 in Keras and -0.01 in PyTorch.

## Fix
Take the slope from the layer's configuration (`negative_slope`, in Keras 2 `alpha`).
"""

from collections.abc import Iterator

from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.activation_layers import ELU, LeakyReLU, ReLU
from refconv.ops.activations import Activation

SLOPES = (0.01, 0.2, 0.3, 0.1, 0.25, 0.125, 0.05, 0.02, 0.5)
ALPHAS = (1.0, 0.5, 2.0, 1.6732632)


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if isinstance(case.attrs, (LeakyReLU, ReLU)):
        for slope in (*SLOPES, 0.0):
            yield Change(f"{slope:g}", case.with_attrs(negative_slope=slope))
    elif isinstance(case.attrs, ELU):
        for alpha in (*ALPHAS, 2 * case.attrs.alpha):
            yield Change(f"alpha {alpha:g}", case.with_attrs(alpha=alpha))
    found = getattr(case.attrs, "activation", None)
    if isinstance(found, Activation) and found.name == "leaky_relu":
        for slope in SLOPES:
            yield Change(
                f"{slope:g}", case.with_attrs(activation=Activation("leaky_relu", (("negative_slope", slope),)))
            )


RULE = Rule("RC307", "another slope", __doc__, propose)
