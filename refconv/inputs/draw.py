"""Seeded samples for a model whose user gives no input."""

from __future__ import annotations

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs import dtypes

OCTAVES = 3.0


def draw(spec: TensorSpec, samples: int, generator: np.random.Generator, limit: int | None = None) -> np.ndarray:
    """`samples` samples of the input, whose dimensions are known, in its dtype.

    Floats: standard normal times 2ᵏ, k uniform in [-3, 3] for each sample and index of the first axis after the batch
    (the rows of an image, the steps of a sequence, the single features of a vector). So both signs occur, neighbouring
    windows see magnitudes from 1/8 to 8, and few values are large enough to saturate everything behind them.
    Integers: uniform in [0, limit), by default in 0…255 as far as the dtype goes. Booleans: both values alike.
    `limit` also makes a float input integer, as Keras 2 feeds an Embedding.

    Raises:
        BadInput: the input takes strings.
    """
    if dtypes.is_string(spec):
        hint = f"give them with --input {spec.name}=FILE.npy"
        raise BadInput(f"input {spec.name!r} takes strings, which cannot be drawn", hint=hint)
    shape, dtype = (samples, *(size for size in spec.shape[1:] if size is not None)), dtypes.of(spec)
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu" or limit is not None:
        return generator.integers(0, _limit(dtype, limit), shape).astype(dtype)
    groups = shape[:2] + (1,) * (len(shape) - 2)
    scale = 2.0 ** generator.uniform(-OCTAVES, OCTAVES, groups)
    return (generator.standard_normal(shape) * scale).astype(dtype)


def _limit(dtype: np.dtype, limit: int | None) -> int:
    highest = int(np.iinfo(dtype).max) if dtype.kind in "iu" else 1 << 24
    return max(1, min(256 if limit is None else limit, highest + 1))
