"""A model's output as losses and metrics see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refconv.numerics.formats import Field


@dataclass(frozen=True)
class Predictions:
    """One output for all samples.

    Attributes:
        mid: (N, …) float64, of the reference that runs on its own values.
        radius: how far a conforming run may be from it: one number for all, or one per sample, (N, 1, …).
        squash: "softmax" or "sigmoid" where that gave the output: a crossentropy then takes what it was given.
        logits: what the function was given, of the output's shape; None without one.
        reach: the radius of the logits.
    """

    mid: np.ndarray
    radius: Field
    squash: str = ""
    logits: np.ndarray | None = None
    reach: Field = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.mid.shape)

    @property
    def low(self) -> np.ndarray:
        return self.mid - self.radius

    @property
    def high(self) -> np.ndarray:
        return self.mid + self.radius

    @property
    def row_radius(self) -> np.ndarray:
        """That of each row along the last axis, (N, …)."""
        return np.broadcast_to(self.radius, self.shape)[..., 0]


class Unsettled(Exception):
    """A loss or metric that the reference does not compute; the message says why."""


def aligned(target: np.ndarray, p: Predictions) -> tuple[np.ndarray, Predictions]:
    """Target and predictions of one shape, a last axis of 1 added or taken as Keras does.

    Raises:
        Unsettled: they differ otherwise.
    """
    t = target
    if t.ndim == p.mid.ndim - 1 and p.shape[-1] == 1:
        t = t[..., None]
    elif t.ndim == p.mid.ndim + 1 and t.shape[-1] == 1:
        t = t[..., 0]
    if t.shape != p.shape:
        raise Unsettled(f"targets of shape {t.shape} do not fit predictions of shape {p.shape}")
    return np.asarray(t, np.float64), p


def classes(target: np.ndarray, p: Predictions) -> np.ndarray:
    """Integer targets (N, …), one for each row of predictions (N, …, C).

    Raises:
        Unsettled: they are no numbers of classes.
    """
    t = target[..., 0] if target.ndim == p.mid.ndim and target.shape[-1] == 1 else target
    if t.shape != p.shape[:-1]:
        raise Unsettled(f"targets of shape {target.shape} are no class numbers for predictions of shape {p.shape}")
    whole = np.asarray(t).astype(np.int64)
    if np.any(whole != t) or np.any(whole < 0) or np.any(whole >= p.shape[-1]):
        raise Unsettled(f"targets are no class numbers from 0 to {p.shape[-1] - 1}")
    return whole
