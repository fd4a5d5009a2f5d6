"""Another alpha or scale.

## What
The codes are multiplied by another scale: alpha left out, twice or half of it, a free scale instead of a power of two
(or the other way round), one scale for the whole kernel instead of one per channel.

## Why
A kernel's alpha=None is taken as "auto_po2" by QKeras's layers, and as 1 by the quantizer alone. A scale that is
computed from the data is kept in no file.

## Example
`QDense(kernel_quantizer=quantized_bits(4,0,1))` has a scale per channel; `quantized_bits(4,0,1)(kernel)` has none.

## Fix
Take scales and codes from `refconv weights MODEL LAYER --codes`, which computes them as the layer does.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refconv.diagnose.alter import by_quantizer, has, quantizers, with_quantizers
from refconv.diagnose.rule import Change, Question, Rule
from refconv.quantizers.base import Quantizer


def turn(q: Quantizer) -> Iterator[tuple[str, Quantizer]]:
    if not has(q, "alpha"):
        return
    alpha = q.alpha  # type: ignore[attr-defined]
    for other in (1.0, "auto", "auto_po2"):
        if other != alpha and not (alpha is None and other == 1.0):
            yield f"alpha={other!r}", replace(q, alpha=other)  # type: ignore[call-arg]
    if isinstance(alpha, float):
        yield "alpha doubled", replace(q, alpha=2 * alpha)  # type: ignore[call-arg]
        yield "alpha halved", replace(q, alpha=alpha / 2)  # type: ignore[call-arg]


EACH = by_quantizer(turn)


def propose(question: Question) -> Iterator[Change]:
    """Other alphas; then, where the scale is found in the data, twice and half of it, and one for all channels."""
    yield from EACH(question)
    case = question.case
    for name, q in quantizers(case).items():
        weight = name.removesuffix("_quantizer")
        weight = "kernel" if weight not in case.weights and "kernel" in case.weights else weight
        if name == "activation" or not getattr(q, "auto", False) or weight not in case.stored:
            continue
        found = q.quantize(case.stored[weight]).scale
        for label, factor in (("scale doubled", 2.0), ("scale halved", 0.5)):
            with np.errstate(all="ignore"):
                values = q.quantize(case.stored[weight], np.asarray(found) * np.float32(factor)).values
            yield Change(f"{label}, {weight}", case.with_weights(**{weight: values.astype(np.float32)}))
        largest = float(np.max(found))
        if np.ndim(found) and largest > 0:
            values = q.quantize(case.stored[weight], np.full(np.shape(found), largest, np.float32)).values
            yield Change(f"one scale for all channels, {weight}", case.with_weights(**{weight: values}))
    if not quantizers(case):
        return
    without = {n: replace(q, alpha=1.0) for n, q in quantizers(case).items() if getattr(q, "auto", False)}  # type: ignore[call-arg]
    if len(without) > 1:
        yield Change("no scale", with_quantizers(case, **without))


RULE = Rule("RC107", "another alpha or scale", __doc__, propose)
