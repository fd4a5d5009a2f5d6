"""Faults of normalization and of preprocessing: statistics, epsilon, scale and offset."""

from __future__ import annotations

import numpy as np

from refconv.compare.counterfactuals.base import Case, Counterfactual
from refconv.ops.layer_normalization import GroupNormalization, LayerNormalization
from refconv.ops.normalization import BatchNormalization
from refconv.ops.preprocessing import Normalization, Rescaling
from refconv.ops.residual import CustomScale, LayerScale
from refconv.ops.rms_normalization import RMSNormalization
from refconv.ops.table import TABLE

BATCH = (BatchNormalization,)
ITS_OWN = (LayerNormalization, GroupNormalization)


def _epsilon(case: Case) -> Case:
    """Keras's 1e-3 for PyTorch's 1e-5, and the other way."""
    return case.with_attrs(epsilon=1e-5 if case.attrs.epsilon > 1e-4 else 1e-3)


def _swapped(case: Case) -> Case:
    mean, variance = (case.weights[name] for name in ("moving_mean", "moving_variance"))
    return case.with_weights(moving_mean=variance, moving_variance=np.abs(mean))


def _without_gamma(case: Case) -> Case:
    return case.with_weights(gamma=np.ones_like(case.weights["gamma"]))


def _without_beta(case: Case) -> Case:
    return case.with_weights(beta=np.zeros_like(case.weights["beta"]))


def _mean_off(case: Case) -> Case:
    return case.with_weights(moving_mean=case.weights["moving_mean"] * np.float32(1.01))


def _variance_off(case: Case) -> Case:
    return case.with_weights(moving_variance=case.weights["moving_variance"] * np.float32(1.01))


def _of_the_batch(case: Case) -> Case:
    """As in training: mean and variance of what the layer is fed, all of it, in place of the moving ones."""
    x = (case.fed or case.inputs)[0].astype(np.float64)
    others = tuple(axis for axis in range(x.ndim) if axis != case.attrs.axis % x.ndim)
    with np.errstate(all="ignore"):
        found = {"moving_mean": x.mean(axis=others), "moving_variance": x.var(axis=others)}
    narrowed = case.narrow({name: value.astype(np.float32) for name, value in found.items()})
    return case.with_weights(**narrowed)


def _fed(case: Case) -> bool:
    """Not of a quantized layer, whose statistics pass through its quantizers."""
    return TABLE[case.node.type].slots is None and bool(case.inputs[0].size)


def _scales(case: Case) -> bool:
    return "gamma" in case.weights


def _centers(case: Case) -> bool:
    return "beta" in case.weights


def _unscaled(case: Case) -> Case:
    return case.with_weights(scale=np.ones_like(case.weights["scale"]))


def _one_group(case: Case) -> Case:
    return case.with_attrs(groups=1)


def _in_groups(case: Case) -> bool:
    return case.attrs.groups != 1


def _whole(case: Case) -> Case:
    return case.with_attrs(scale=1.0)


def _without_offset(case: Case) -> Case:
    return case.with_attrs(offset=0.0)


def _without_scale(case: Case) -> Case:
    return case.with_attrs(scale=1.0)


def _unnormalized(case: Case) -> Case:
    return case.with_weights(variance=np.ones_like(case.weights["variance"]))


def _uncentred(case: Case) -> Case:
    return case.with_weights(mean=np.zeros_like(case.weights["mean"]))


def _adapted(case: Case) -> bool:
    return "variance" in case.weights


ROWS = (
    Counterfactual("another epsilon", (*BATCH, *ITS_OWN, RMSNormalization), _epsilon),
    Counterfactual("mean and variance swapped", BATCH, _swapped),
    Counterfactual("gamma missing", (*BATCH, *ITS_OWN, LayerScale), _without_gamma, _scales),
    Counterfactual("beta missing", (*BATCH, *ITS_OWN), _without_beta, _centers),
    Counterfactual("one group", (GroupNormalization,), _one_group, _in_groups),
    Counterfactual("scale missing", (CustomScale,), _whole),
    Counterfactual("scale missing", (RMSNormalization,), _unscaled),
    Counterfactual("means off by 1%", BATCH, _mean_off),
    Counterfactual("variances off by 1%", BATCH, _variance_off),
    Counterfactual("statistics of the batch", BATCH, _of_the_batch, _fed),
    Counterfactual("offset missing", (Rescaling,), _without_offset),
    Counterfactual("scale missing", (Rescaling,), _without_scale),
    Counterfactual("mean missing", (Normalization,), _uncentred, _adapted),
    Counterfactual("variance missing", (Normalization,), _unnormalized, _adapted),
)
