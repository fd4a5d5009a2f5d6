"""What TensorFlow is known to compute wrong, or not to run, so that a comparison with it may leave it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refconv.primitives.geometry import window
from refconv.testing.strategies.case import LayerCase
from refconv.testing.strategies.convolution import ConvolutionCase
from refconv.testing.strategies.depthwise import DepthwiseCase
from refconv.testing.strategies.geometry import LAST
from refconv.testing.strategies.pooling import PoolCase

ONE_ELEMENT = "oneDNN: a traced depthwise convolution of one element raises after a convolution of one"
RAISED = "could not create a primitive descriptor for the reorder primitive"

Sliding = ConvolutionCase | DepthwiseCase | PoolCase


@dataclass(frozen=True)
class Defect:
    """One defect: what is wrong, and the cases that it may concern.

    Attributes:
        name: what TensorFlow does.
        onednn: whether with oneDNN, or without; None for both.
        concerns: (case, major version of Keras) → whether the case is one.
    """

    name: str
    onednn: bool | None
    concerns: Callable[[Sliding, int], bool]


def _sizes(case: Sliding) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the window, dilation included, and of the input's spatial axes."""
    size = case.pool_size if isinstance(case, PoolCase) else case.kernel_size
    rates = (1,) * len(size) if isinstance(case, PoolCase) else case.dilation
    extents = tuple((k - 1) * d + 1 for k, d in zip(size, rates, strict=True))
    return extents, case.x.shape[1:-1] if case.data_format == LAST else case.x.shape[2:]


def _one_column(case: Sliding, keras: int) -> bool:
    """Its product is right in the first row alone, or steps by the input's width instead of the stride.

    In a volume rows lie along both other axes: (1, 1, 4, 4, 1) with a kernel of (1, 1, 2) and strides of (1, 1, 3).
    """
    extents, spatial = _sizes(case)
    out = window(spatial, extents, case.strides, padding=case.padding).out
    several = max([len(case.x), *out[:-1]]) > 1
    return isinstance(case, ConvolutionCase) and case.rank > 1 and out[-1] == 1 and several


def _late(case: Sliding, keras: int) -> bool:
    """Two elements or more after the last window: TensorFlow's padding is then −1 or less, and not 0."""
    extents, spatial = _sizes(case)
    axes = zip(spatial, extents, case.strides, strict=True)
    left = [n - ((-(-n // step) - 1) * step + extent) for n, extent, step in axes]
    return case.rank == 3 and case.padding == "same" and max(left) > 1


def _first(case: Sliding, keras: int) -> bool:
    return case.data_format != LAST


def _misplaced(case: Sliding, keras: int) -> bool:
    """Where the last axis is as long as the channels' (keras 3.15, `ops.add` of a bias)."""
    biased = not isinstance(case, PoolCase) and case.bias is not None
    shape = case.expected().mid.shape
    return biased and keras == 3 and case.data_format != LAST and 1 < shape[1] == shape[-1]


def _one_element(case: Sliding, keras: int) -> bool:
    """Its key among the kernels that oneDNN keeps is that of a convolution of one element with a bias.

    In one thread: a traced tf.nn.bias_add(tf.nn.conv2d(x, k, 1, "SAME"), b), all of them one number, and then a traced
    tf.nn.depthwise_conv2d of one number raises what RAISED says. Seen with TensorFlow 2.21.
    """
    return isinstance(case, DepthwiseCase) and case.x.size == case.kernel.size == 1


DEFECTS = (
    Defect(
        "oneDNN may be wrong where a convolution has one position across (not on every processor)", True, _one_column
    ),
    Defect(ONE_ELEMENT, True, _one_element),
    Defect("without oneDNN, SAME windows over volumes start late where strides pass over the end", False, _late),
    Defect("without oneDNN, channels first do not run on a CPU", False, _first),
    Defect("Keras 3 adds the bias along another axis that is as long as the channels'", None, _misplaced),
)


def defect(case: LayerCase, *, keras: int = 3, onednn: bool = True) -> str:
    """Why TensorFlow's output of this case, on a CPU, may be wrong or missing; "" where no reason is known.

    Args:
        keras: the major version whose layer computes it.
        onednn: whether TensorFlow uses oneDNN (TF_ENABLE_ONEDNN_OPTS).
    """
    if not isinstance(case, Sliding):
        return ""
    known = (d for d in DEFECTS if d.onednn in (None, onednn))
    return next((d.name for d in known if d.concerns(case, keras)), "")
