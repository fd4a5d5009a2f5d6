"""Faults in which element goes where, and in which tensor is taken."""

from __future__ import annotations

import numpy as np

from detection.operators.base import LINEAR, NORMALIZATION, POOLING, Mutant, structural
from detection.subject import Subject

Rng = np.random.Generator
ANY = (*LINEAR, *NORMALIZATION, *POOLING, "Activation", "QActivation", "ReLU", "LeakyReLU", "PReLU", "Add", "Dropout")


def flatten_order(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Flattened or reshaped as if the channels stood first (or last, where they do stand first)."""
    if s.x.ndim < 3:
        return _column_major(s)
    first = getattr(s.layer, "data_format", "") == "channels_first"
    moved = np.moveaxis(s.x, 1, -1) if not first else s.x
    if s.node.type == "Flatten" and not first:
        moved = np.moveaxis(s.x, -1, 1)
    shape = s.run()[0].shape
    return Mutant(s.compute(lambda x: s.tf.reshape(x, shape), moved))


def _column_major(s: Subject) -> Mutant | None:
    """A vector laid out column by column."""
    y = s.run()[0]
    return (
        Mutant((s.x.reshape(len(y), *y.shape[:0:-1]).transpose(0, *range(y.ndim - 1, 0, -1)),)) if y.ndim > 2 else None
    )


def permutation_ignored(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The axes keep their order, their lengths become those asked for."""
    y = s.run()[0]
    return Mutant(s.compute(lambda x: s.tf.reshape(x, y.shape), s.x))


def neighbour_output(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """The output of another layer, the nearest of the same shape, is given out."""
    shape = s.run()[0].shape
    return next((Mutant((y,)) for y in s.others if y.shape == shape), None)


def operand_missing(s: Subject, size: float, rng: Rng) -> Mutant:
    """A merged branch is left out: its place is taken by zeros."""
    return Mutant(s.run((*s.inputs[:-1], np.zeros_like(s.inputs[-1]))))


def operands_swapped(s: Subject, size: float, rng: Rng) -> Mutant | None:
    """Branches joined in the other order."""
    return Mutant(s.rerun(s.inputs[::-1]))


OPERATORS = (
    structural("flatten order", flatten_order, "Flatten", "Reshape"),
    structural("permutation ignored", permutation_ignored, "Permute"),
    structural("output of another layer", neighbour_output, *ANY),
    structural("branch missing", operand_missing, "Add", "Concatenate"),
    structural("branches swapped", operands_swapped, "Concatenate"),
)
