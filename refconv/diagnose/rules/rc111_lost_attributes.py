"""Attributes lost on save.

## What
The layer quantizes by parameters that QKeras does not write into a file: what was trained had them, what is loaded has
the defaults, or the other way round.

## Why
`get_config` of QKeras 0.9.0 leaves out `is_quantized_clip` of quantized_relu, `scale_axis` of quantized_bits and
others, and no file records which sigmoid the process used.

## Example
With `relu_upper_bound=0.5, is_quantized_clip=False` the layer gives 0.5 for 3 before it is saved, 3 after.

## Fix
Write the parameter down beside the model, and set it on the quantizer again after loading.
"""

from collections.abc import Iterator
from dataclasses import replace

from refconv.diagnose.alter import by_quantizer, has
from refconv.diagnose.rule import Rule
from refconv.quantizers.base import Quantizer

BOUNDS = (0.5, 1.0, 2.0, 4.0, 6.0, 8.0)  # that are asked for in practice
SIGMOIDS = ("hard", "smooth", "real")


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    if has(q, "is_quantized_clip"):
        clip, bound = q.is_quantized_clip, q.relu_upper_bound  # type: ignore[attr-defined]
        yield f"is_quantized_clip={not clip}", replace(q, is_quantized_clip=not clip)  # type: ignore[call-arg]
        for other in BOUNDS if bound is None else ():
            lost = replace(q, relu_upper_bound=other, is_quantized_clip=False)  # type: ignore[call-arg]
            yield f"relu_upper_bound={other:g}, is_quantized_clip=False", lost
    if has(q, "scale_axis") and isinstance(getattr(q, "alpha", None), str):
        for axis in range(4):
            yield f"scale_axis={axis}", replace(q, scale_axis=axis)  # type: ignore[call-arg]
    if has(q, "sigmoid"):
        for name in SIGMOIDS:
            yield f"set_internal_sigmoid({name!r})", replace(q, sigmoid=name)  # type: ignore[call-arg]


RULE = Rule("RC111", "attributes lost on save", __doc__, by_quantizer(turn))
