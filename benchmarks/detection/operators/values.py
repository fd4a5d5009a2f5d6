"""Faults in normalisations, activations and in what only training does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from detection.operators.base import FOLDED, LINEAR, NORMALIZATION, Mutant, Scope, sized, structural
from detection.operators.weights import planted
from detection.subject import Subject

Rng = np.random.Generator
NORMALIZING = (*NORMALIZATION, *FOLDED)
ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "PReLU", "Softmax", "ELU")


def _with_epsilon(s: Subject, epsilon: float) -> Mutant:
    holder = getattr(s.layer, "batchnorm", s.layer)
    with s.changed(holder, epsilon=epsilon):
        return Mutant(s.rerun(), s.effective())


def _epsilon(s: Subject) -> float:
    return float(getattr(s.layer, "batchnorm", s.layer).epsilon)


def epsilon_other(s: Subject, size: float, rng: Rng) -> Mutant:
    """Another library's default epsilon: 1e-5 for 1e-3, and the other way round."""
    return _with_epsilon(s, 1e-3 if _epsilon(s) < 1e-4 else 1e-5)


def epsilon_scaled(s: Subject, size: float, rng: Rng) -> Mutant:
    """Epsilon off by the relative size."""
    return _with_epsilon(s, _epsilon(s) * (1 + size))


def statistics_swapped(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Moving mean and moving variance swapped."""
    mean, variance = s.value("moving_mean"), s.value("moving_variance")
    return planted(s, {"moving_mean": variance, "moving_variance": mean})


def gamma_beta_swapped(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Gamma and beta swapped."""
    if not {"gamma", "beta"} <= set(s.node.weights):
        return None
    return planted(s, {"gamma": s.value("beta"), "beta": s.value("gamma")})


def batch_statistics(s: Subject, size: float, rng: Rng) -> Mutant:
    """Normalised by the batch's own statistics, as in training."""
    with s.assigned({name: s.value(name) for name in ("moving_mean", "moving_variance")}):  # training moves them
        return Mutant(s.rerun(training=True))


def dropout_active(s: Subject, size: float, rng: Rng) -> Mutant:
    """Elements are dropped as in training."""
    s.tf.random.set_seed(7)
    return Mutant(s.rerun(training=True))


def _name(s: Subject) -> str:
    return getattr(getattr(s.layer, "activation", None), "__name__", "")


def _variants(s: Subject) -> dict[str, Callable[[Any], Any]]:
    """Function → the one that it is most easily taken for."""
    nn, tf = s.tf.nn, s.tf
    return {
        "relu": nn.relu6,
        "relu6": nn.relu,
        "softmax": nn.sigmoid,
        "sigmoid": lambda x: tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0),
        "hard_sigmoid": nn.sigmoid,
        "tanh": lambda x: 1.7159 * tf.tanh(x * (2 / 3)),
        "elu": nn.selu,
        "selu": nn.elu,
        "silu": nn.relu,
        "gelu": lambda x: nn.gelu(x, approximate=True),
        "softplus": nn.relu,
    }


def activation_variant(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Another function of the same family: relu6 for relu, selu for elu, another slope, a hard sigmoid."""
    if s.node.type in ("LeakyReLU", "ReLU"):
        return _other_relu(s)
    if s.node.type == "PReLU":
        alpha = s.value("alpha")
        return planted(s, {"alpha": np.broadcast_to(alpha.mean(), alpha.shape)})
    if s.node.type == "Softmax":
        return Mutant(s.compute(s.tf.nn.sigmoid, s.x))
    variant = _variants(s).get(_name(s))
    if variant is None:
        return None
    with s.changed(activation=variant):
        return Mutant(s.rerun())


def _other_relu(s: Subject) -> Mutant | None:
    if s.node.type == "LeakyReLU":
        return Mutant(s.compute(lambda x: s.tf.nn.leaky_relu(x, 0.01), s.x))
    capped = getattr(s.layer, "max_value", None) is not None
    return Mutant(s.compute(s.tf.nn.relu if capped else s.tf.nn.relu6, s.x))


def pre_activation(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """What stands before the activation is given out."""
    if s.node.type in (*ACTIVATIONS, "QActivation"):
        return Mutant((s.x,))
    if getattr(s.layer, "activation", None) is None or _name(s) == "linear":
        return None
    with s.changed(activation=s.tf.identity):
        return Mutant(s.rerun())


def rescaling_divisor(s: Subject, size: float, rng: Rng) -> Mutant:
    """Scaled by 1/256 for 1/255, and the other way round."""
    factor = 255 / 256 if abs(s.layer.scale * 256 - 1) > 1e-9 else 256 / 255
    with s.changed(scale=s.layer.scale * factor):
        return Mutant(s.rerun())


def resizing_variant(s: Subject, size: float, rng: Rng) -> Mutant:
    """Corners aligned, as resizing was before half-pixel centres."""
    lengths = (s.layer.height, s.layer.width)
    resize = s.tf.raw_ops.ResizeBilinear
    return Mutant(s.compute(lambda x: resize(images=x, size=lengths, align_corners=True), s.x))


OPERATORS = (
    structural("epsilon of another library", epsilon_other, *NORMALIZING),
    sized("epsilon scaled", epsilon_scaled, Scope.PARAMETER, *NORMALIZING),
    structural("moving statistics swapped", statistics_swapped, *NORMALIZING),
    structural("gamma and beta swapped", gamma_beta_swapped, *NORMALIZING),
    structural("batch statistics", batch_statistics, *NORMALIZATION),
    structural("dropout active", dropout_active, "Dropout"),
    structural("activation variant", activation_variant, *ACTIVATIONS, *LINEAR),
    structural("pre-activation output", pre_activation, *ACTIVATIONS, *LINEAR, "QActivation"),
    structural("rescaling divisor", rescaling_divisor, "Rescaling"),
    structural("resizing with corners aligned", resizing_variant, "Resizing"),
)
