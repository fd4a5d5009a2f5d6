"""Which cases TensorFlow may compute wrong, by examples that were worked by hand or seen."""

from __future__ import annotations

import numpy as np
import pytest

from refconv.testing.defects import DEFECTS, defect
from refconv.testing.strategies import ConvolutionCase, DenseCase, DepthwiseCase, PoolCase

ROW = ConvolutionCase(x=np.arange(1.0, 7).reshape(1, 2, 3, 1), kernel=[[[[10]], [[1]]]], strides=(1, 2))
STEP = ConvolutionCase(
    x=np.arange(1.0, 5).reshape(2, 1, 2, 1, 1), kernel=[[[[[10]], [[100]]]]], strides=(1, 1, 2), padding="same"
)
ACROSS = STEP.replace(x=np.ones((1, 1, 2, 2, 1)))  # two rows of a plane
FIRST = ConvolutionCase(
    x=np.ones((1, 1, 2, 2)), kernel=np.ones((1, 1, 1, 2)), bias=[1, 2], data_format="channels_first"
)


def volume(length: int, window: int, stride: int, padding: str = "same") -> PoolCase:
    return PoolCase(x=np.zeros((1, length, 1, 1, 1)), pool_size=(window, 1, 1), strides=(stride, 1, 1), padding=padding)


CONCERNED = [
    (ROW, True, "one position across"),  # [12, 45]; TensorFlow 2.21 with oneDNN gave the first row alone
    (STEP, True, "one position across"),  # [10, 20, 30, 40]; it gave [10, 0, 30, 0]
    (ACROSS, True, "one position across"),  # a plane of rows gave whatever was in memory
    (DepthwiseCase(x=[[[[1]]]], kernel=[[[[1]]]]), True, "depthwise convolution of one element"),
    (volume(3, 1, 3), False, "start late"),  # a window on element 0; without oneDNN it gives element 1
    (volume(7, 2, 5).replace(x=np.zeros((1, 9, 1, 1, 1))), False, "start late"),  # windows on 0–1 and 5–6 of nine
    (FIRST, False, "channels first do not run"),
    (FIRST, True, "adds the bias along another axis"),
]
FREE = [
    (ROW, False),
    (ROW.replace(strides=(1, 1)), True),  # two positions across
    (ROW.replace(x=[[[[1], [2], [3]]]]), True),  # one row
    (DepthwiseCase(x=[[[[1]]]], kernel=[[[[1, 2]]]]), True),
    (volume(3, 1, 3), True),
    (volume(3, 1, 3, "valid"), False),
    (volume(3, 2, 2), False),  # one element after the last window
    (PoolCase(x=np.zeros((1, 3, 1, 1)), pool_size=(1, 1), strides=(3, 1), padding="same"), False),
    (FIRST.replace(bias=None), True),
    (FIRST.replace(x=np.ones((1, 2, 1, 3)), kernel=np.ones((1, 1, 2, 2))), True),  # 2 channels, 3 positions across
    (DenseCase(x=[[1]], kernel=[[1]]), True),
]


@pytest.mark.parametrize(("case", "onednn", "name"), CONCERNED)
def test_it_concerns(case: ConvolutionCase, onednn: bool, name: str) -> None:
    assert name in defect(case, onednn=onednn)


@pytest.mark.parametrize(("case", "onednn"), FREE)
def test_it_does_not_concern(case: ConvolutionCase, onednn: bool) -> None:
    assert defect(case, onednn=onednn) == ""


def test_the_reference_by_hand() -> None:
    assert ROW.expected().mid.ravel().tolist() == [12, 45]
    assert STEP.expected().mid.ravel().tolist() == [10, 20, 30, 40]


def test_a_bias_is_misplaced_by_keras_3_alone() -> None:
    assert defect(FIRST, keras=2) == ""
    assert all(any(d.name in defect(case, onednn=onednn) for case, onednn, _ in CONCERNED) for d in DEFECTS)
