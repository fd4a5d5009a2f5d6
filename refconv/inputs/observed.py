"""What a person's own implementation or device gave for a layer, as a file of theirs tells it."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refconv.errors import BadInput
from refconv.inputs import numbers
from refconv.inputs.arrays import read_array
from refconv.inputs.shapes import text as shape_text
from refconv.inputs.source import Source
from refconv.numerics.formats import BFLOAT16, FLOAT16

BROKEN = (OSError, EOFError, UnicodeDecodeError, zlib.error)
NARROW = {FLOAT16.name: FLOAT16, BFLOAT16.name: BFLOAT16}
TEXT = (".csv", ".csv.gz", ".txt", ".txt.gz", ".dat", ".hex", ".log", "")


@dataclass(frozen=True)
class Observed:
    """Values as they were given.

    Attributes:
        values: float64 or what the array holds, in the shape of the file.
        resolution: what was observed lies in values ± resolution; of the same shape, or one number for all.
        source: the file, for messages.
    """

    values: np.ndarray
    resolution: np.ndarray | float
    source: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def reshape(self, shape: tuple[int, ...]) -> Observed:
        resolution = self.resolution
        resolution = resolution.reshape(shape) if isinstance(resolution, np.ndarray) else resolution
        return Observed(self.values.reshape(shape), resolution, self.source)


@dataclass(frozen=True)
class Codes:
    """Integers in place of values: value = code · scale.

    Attributes:
        scale: the value of one code.
        bits: hexadecimal codes are two's complement of so many; None: they are not negative.
    """

    scale: float
    bits: int | None = None


def observed(given: np.ndarray | str | os.PathLike[str], codes: Codes | None = None) -> Observed:
    """Read what was given: an array, an .npy, .npz (FILE:key), .csv(.gz), or a text of numbers (`numbers`).

    Of codes half a step is left open, since a device rounds to them; of a 16-bit float array half the distance of its
    neighbours; any other array is taken bit for bit.

    Raises:
        BadInput: it cannot be read, or holds no numbers.
    """
    if not isinstance(given, (str, os.PathLike)):
        return _array(np.asarray(given), "the observed output", codes)
    path, key = Source(os.fspath(given)).split()
    if not path.is_file():
        raise BadInput("there is no such file", where=str(path))
    name = path.name.lower()
    if name.endswith((".npy", ".npz")):
        return _array(read_array(path, key), str(given), codes)
    if not name.endswith(tuple(filter(None, TEXT))) and path.suffix:
        hint = "it is read as .npy, .npz, .csv, .csv.gz, or text in .txt, .dat, .hex or .log"
        raise BadInput("is of no kind that refconv reads as an output", where=str(path), hint=hint)
    return _text(_read(path), str(given), codes, header=".csv" in name)


def _array(values: np.ndarray, where: str, codes: Codes | None) -> Observed:
    if values.dtype.kind not in "biuf" and values.dtype.name not in NARROW:
        raise BadInput(f"holds {values.dtype}, not numbers", where=where)
    if not values.size:
        raise BadInput(f"is empty, of shape {shape_text(values.shape)}", where=where)
    if codes:
        if not np.all(np.isfinite(values) & (values == np.trunc(values))):
            raise BadInput("holds fractions, not codes", where=where, hint="without --codes they are read as values")
        return _scaled(values, where, codes)
    if values.dtype.name in NARROW:
        half = NARROW[values.dtype.name].spacing(values.astype(np.float64)) / 2
        return Observed(values.astype(np.float64), half, where)
    return Observed(values.astype(np.float64) if values.dtype.kind in "biu" else values, 0.0, where)


def _text(text: str, where: str, codes: Codes | None, *, header: bool) -> Observed:
    text = text.replace('"', " ") if header else text
    first, _, rest = text.partition("\n")
    if header and rest.strip() and not _numeric(first, where):
        text = rest
    if codes:
        return _scaled(numbers.codes(text, where, codes.bits), where, codes)
    found = numbers.parse(text, where)
    return Observed(found.values, found.resolution if found.resolution.any() else 0.0, where)


def _numeric(line: str, where: str) -> bool:
    try:
        numbers.parse(line, where)
    except BadInput:
        return False
    return True


def _scaled(values: np.ndarray, where: str, codes: Codes) -> Observed:
    return Observed(values.astype(np.float64) * codes.scale, abs(codes.scale) / 2, where)


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix.lower() == ".gz" else data).decode("utf-8")
    except BROKEN as error:
        raise BadInput(f"is not a readable text: {' '.join(str(error).split())}", where=str(path)) from None
