"""A file or folder named by the user, read by what its name ends in."""

from __future__ import annotations

import os

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs.arrays import read_array
from refconv.inputs.images import SUFFIXES, read_images
from refconv.inputs.source import Source
from refconv.inputs.table import read_table


def read(source: Source, spec: TensorSpec) -> np.ndarray:
    """The samples in `source`, for the input `spec`.

    Raises:
        BadInput: it is missing, of an unknown kind or unreadable, or cannot be given that input's shape.
    """
    path, key = source.split()
    name = path.name.lower()
    if not os.path.exists(path):
        raise BadInput("there is no such file", where=str(path))
    if path.is_dir() or name.endswith(SUFFIXES):
        return read_images(path, spec, source.first)
    if name.endswith((".csv", ".csv.gz")):
        return read_table(path, spec, source.first)
    if name.endswith((".npy", ".npz")):
        array = read_array(path, key)
        return array[: source.first] if array.ndim else array
    kinds = ".npy, .npz, .csv, .csv.gz, images and folders of images"
    raise BadInput("is of no kind that refconv reads as input", where=str(path), hint=kinds)
