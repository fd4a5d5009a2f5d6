"""Hypothesis strategies: layer calls, tensors, quantizers and whole models, each with what refconv says is right.

    @given(conv2d_cases())
    def test_my_convolution(case):
        case.check(my_convolution(case.x, case.kernel, case.bias, case.strides, case.padding))

What is drawn shrinks: a failing example ends as one small layer on small integers. Keras is never imported here; the
cases build layers and models of the Keras that they are given.
"""

from __future__ import annotations

from refconv.errors import RefconvError

try:
    import hypothesis  # noqa: F401
except ImportError as error:
    raise RefconvError("Hypothesis is not installed", hint="pip install 'refconv[testing]'") from error

from refconv.testing.strategies.convolution import (
    ConvolutionCase,
    conv1d_cases,
    conv2d_cases,
    conv3d_cases,
    convolution_cases,
)
from refconv.testing.strategies.dense import DenseCase, dense_cases
from refconv.testing.strategies.depthwise import DepthwiseCase, depthwise_cases
from refconv.testing.strategies.failure import Mismatch
from refconv.testing.strategies.models import ModelCase, ModelMismatch, models
from refconv.testing.strategies.pooling import PoolCase, pool_cases
from refconv.testing.strategies.quantizing import QuantizerCase, QuantizerSpec, quantizer_cases, quantizers
from refconv.testing.strategies.values import KINDS, tensors

__all__ = [
    "KINDS",
    "ConvolutionCase",
    "DenseCase",
    "DepthwiseCase",
    "Mismatch",
    "ModelCase",
    "ModelMismatch",
    "PoolCase",
    "QuantizerCase",
    "QuantizerSpec",
    "conv1d_cases",
    "conv2d_cases",
    "conv3d_cases",
    "convolution_cases",
    "dense_cases",
    "depthwise_cases",
    "models",
    "pool_cases",
    "quantizer_cases",
    "quantizers",
    "tensors",
]
