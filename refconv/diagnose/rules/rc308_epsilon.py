"""Another epsilon.

## What
Another small number is added to the variance before its root is taken.

## Why
Keras's default is 1e-3, PyTorch's and ONNX's 1e-5, TensorFlow's fused kernel will not go below 1.001e-5.

## Example
A channel of variance 1e-4 is divided by 0.033 with 1e-3 and by 0.0105 with 1e-5.

## Fix
Take `epsilon` from the layer's configuration.
"""

from collections.abc import Iterator

from refconv.diagnose.alter import quantizes, requantized
from refconv.diagnose.rule import Change, Question, Rule

KNOWN = (1e-5, 1e-3, 1.001e-5, 1e-6, 1e-7, 1e-8, 1e-12, 1e-4, 2e-5, 0.0)


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    if not hasattr(case.attrs, "epsilon"):
        return
    for epsilon in KNOWN:
        altered = case.with_attrs(epsilon=epsilon)
        line = f"variance + {case.attrs.epsilon:g}"
        yield Change(f"{epsilon:g}", requantized(altered) if quantizes(case) else altered, line=line)


RULE = Rule("RC308", "another epsilon", __doc__, propose)
