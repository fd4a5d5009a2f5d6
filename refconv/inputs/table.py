"""Samples from .csv and .csv.gz: one per row."""

from __future__ import annotations

import gzip
import zlib
from itertools import chain
from math import prod
from pathlib import Path
from typing import TextIO

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs.shapes import text

DELIMITERS = (",", ";", "\t")
BROKEN = (OSError, EOFError, UnicodeDecodeError, ValueError, zlib.error)


def read_table(path: Path, spec: TensorSpec, first: int | None) -> np.ndarray:
    """The rows as float64 samples of the input's shape; a header row is skipped.

    Raises:
        BadInput: the file is broken, not numeric, or its columns do not fit the input.
    """
    rows = read_rows(path, first)
    return rows.reshape(len(rows), *_shape(spec, rows.shape[1], str(path)))


def read_rows(path: Path, first: int | None) -> np.ndarray:
    """The rows as they are, (rows, columns) in float64; a header row is skipped.

    Raises:
        BadInput: the file is broken or not numeric.
    """
    try:
        rows = _read(path, first)
    except BROKEN as error:
        raise BadInput(f"is not a readable table: {' '.join(str(error).split())}", where=str(path)) from None
    if not rows.size:
        raise BadInput("holds no rows of numbers", where=str(path))
    return rows


def _read(path: Path, first: int | None) -> np.ndarray:
    with _open(path) as file:
        lines = (line for line in file if line.strip())
        top = next(lines, "").lstrip("\ufeff")
        delimiter = next((d for d in DELIMITERS if d in top), ",")
        if top and _is_header(top, delimiter):
            top = next(lines, "")
        if not top:
            return np.empty((0, 0))
        return np.loadtxt(
            chain([top], lines), delimiter=delimiter, comments=None, quotechar='"', ndmin=2, max_rows=first
        )


def _open(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix.lower() == ".gz" else path.open(encoding="utf-8")


def _is_header(line: str, delimiter: str) -> bool:
    try:
        [float(cell.strip().strip('"')) for cell in line.split(delimiter)]
    except ValueError:
        return True
    return False


def _shape(spec: TensorSpec, columns: int, where: str) -> tuple[int, ...]:
    """The shape of a sample of that many columns; one unknown dimension follows from their number."""
    wanted = spec.shape[1:]
    known = prod(size for size in wanted if size is not None)
    unknown = wanted.count(None)
    if (unknown == 1 and columns % known == 0) or columns == known and not unknown:
        return tuple(columns // known if size is None else size for size in wanted)
    if unknown > 1:
        raise BadInput(f"input {spec.name!r} takes {text(spec.shape)}", where=where, hint="say which with --shape")
    what = f"has {columns} columns; input {spec.name!r} takes {known} per sample, {text(spec.shape)}"
    hint = "the last column looks like a label: remove it" if columns == known + 1 else ""
    raise BadInput(what, where=where, hint=hint)
