"""Another preprocessing.

## What
The model was fed pixels from which another mean was taken, or that were divided by another deviation.

## Why
Each family of `keras.applications` has a `preprocess_input` of its own: pixels/127.5 - 1 (MobileNet, Inception),
ImageNet's mean and deviation of pixels/255 (DenseNet, as in PyTorch), BGR minus ImageNet's mean (VGG, ResNet).

## Example
A pixel of 255 is 1.0 to MobileNet and about 131 to VGG16.

## Fix
Call the `preprocess_input` of the model's own family.
"""

from collections.abc import Iterator

from refconv.diagnose.fed import COLOURED, MADE, SCALED, coloured, fed, given_as, rerun
from refconv.diagnose.rule import Change, Question, Rule


def propose(question: Question) -> Iterator[Change]:
    """From the pixels that the given input was made of, where it was made of any."""
    x = fed(question)
    known = None if x is None else given_as(x)
    if x is None or known is None:
        return
    name, pixels = known
    for other, (make, _) in MADE.items():
        if other == name or (other in SCALED and name in SCALED) or (other in COLOURED and not coloured(x)):
            continue
        fix = f"What is given is {name}, and the values are those of {other}: feed both the same."
        yield from rerun(question, f"{other} in place of {name}", make(pixels), fix)


RULE = Rule("RC503", "another preprocessing", __doc__, propose, reruns=True)
