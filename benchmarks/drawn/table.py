"""The strategies, and how many of the cases each takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from refconv.testing.strategies import (
    conv1d_cases,
    conv2d_cases,
    conv3d_cases,
    dense_cases,
    depthwise_cases,
    models,
    pool_cases,
    quantizer_cases,
    tensors,
)
from refconv.testing.strategies.case import LayerCase
from refconv.testing.strategies.layers import FUNCTIONS

BOTH = ("channels_last", "channels_first")
HALF = ("float16", "bfloat16")
SOFT = ("linear", "relu", "sigmoid", "softmax")


@dataclass(frozen=True)
class Strategy:
    """One strategy, its share of all cases, and the Keras versions whose layers its cases go through."""

    cases: st.SearchStrategy[Any]
    share: float
    majors: tuple[int, ...] = (3, 2)
    models: bool = False


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ElementwiseCase(LayerCase):
    """A function of Keras on a tensor of any shape."""

    function: str

    @property
    def keras(self) -> str:
        return "Activation"

    @property
    def config(self) -> dict[str, Any]:
        return {"activation": self.function}


def elementwise_cases() -> st.SearchStrategy[ElementwiseCase]:
    shape = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)
    return st.builds(lambda x, name: ElementwiseCase(x=x, function=name), tensors(shape), st.sampled_from(FUNCTIONS))


STRATEGIES: dict[str, Strategy] = {
    "conv1d": Strategy(conv1d_cases(activations=SOFT[:3]), 0.08),
    "conv2d": Strategy(conv2d_cases(activations=SOFT[:3]), 0.16),
    "conv2d, channels first": Strategy(conv2d_cases(data_formats=BOTH[1:]), 0.04),
    "conv2d, 16 bits": Strategy(conv2d_cases(dtypes=HALF), 0.04),
    "conv3d": Strategy(conv3d_cases(), 0.08),
    "depthwise 1d": Strategy(depthwise_cases(1), 0.04),
    "depthwise 2d": Strategy(depthwise_cases(2), 0.08),
    "depthwise 2d, strided and dilated": Strategy(depthwise_cases(2, both=True), 0.02, (3,)),
    "pool 1d": Strategy(pool_cases(1), 0.06),
    "pool 2d": Strategy(pool_cases(2, data_formats=BOTH), 0.12),
    "pool 3d": Strategy(pool_cases(3, max_side=6), 0.06),
    "dense": Strategy(dense_cases(activations=SOFT[:3]), 0.08),
    "dense, 16 bits": Strategy(dense_cases(dtypes=HALF), 0.02),
    "quantizers": Strategy(quantizer_cases(), 0.08, (2,)),
    "tensors": Strategy(elementwise_cases(), 0.04),
}
MODELS: dict[str, Strategy] = {
    "models, Keras 3": Strategy(models(3), 0.4, (3,), models=True),
    "models, Keras 2": Strategy(models(2), 0.3, (2,), models=True),
    "models, QKeras": Strategy(models(2, quantized=True), 0.3, (2,), models=True),
}
ALL = {**STRATEGIES, **MODELS}
assert abs(sum(s.share for s in STRATEGIES.values()) - 1) < 1e-9
