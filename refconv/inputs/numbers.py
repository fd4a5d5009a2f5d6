"""Numbers in text, as programs print them, and how exactly their digits tell them.

A printed number may be off by half a unit of its last digit. What else is known of it:

- Inside brackets, as NumPy prints an array, all numbers are rounded to the same digit, and zeros at the end are left
  out: "[0.5 0.1234]" has four decimals throughout. Elsewhere each number's own last digit counts.
- Integers among numbers with decimals are taken as rounded as coarsely as those; integers alone are exact.
- Digits enough for a float32 name one: no number is known better than to half the distance of float32's neighbours.
- Hexadecimal numbers of 8 or 16 digits ("0x3f800000") are the bits of a float32 or float64, and exact.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from refconv.errors import BadInput
from refconv.numerics.formats import FLOAT32

WRAPPING = re.compile(
    r"\b(?:array|tensor|Tensor|tf\.Tensor|Array)\(|(?:,\s*)?\b(?:dtype|shape|device|numpy)\s*=\s*(?:\([^()]*\)|[^\s,()\]]+)|[()]"
)
TOKEN = re.compile(r"[\[\]{}]|\.\.\.|[^\s,;\[\]{}]+")
DECIMAL = re.compile(r"[+-]?(?:\d+\.?(\d*)|\.(\d+))(?:[eE]([+-]?\d+))?$")
HEXADECIMAL = re.compile(r"([+-]?)0[xX]([0-9a-fA-F]+)$")
SPECIAL = {"nan": np.nan, "inf": np.inf, "infinity": np.inf}
BITS = {8: ">f", 16: ">d"}


@dataclass(frozen=True)
class Numbers:
    """Numbers of a text.

    Attributes:
        values: float64, in the shape that brackets or lines give.
        resolution: each number lies in values ± resolution; of the same shape.
    """

    values: np.ndarray
    resolution: np.ndarray


@dataclass(frozen=True)
class _Number:
    """`digit` is the exponent of the last digit given; None where no digit was rounded (an integer, bits, NaN)."""

    value: float
    digit: int | None = None
    integer: bool = False
    scientific: int | None = None  # the exponent that was printed


def parse(text: str, where: str) -> Numbers:
    """The numbers of `text`, which blanks, commas, semicolons, brackets and lines may separate.

    Raises:
        BadInput: something is no number, was left out ("..."), or rows have different lengths.
    """
    tokens = TOKEN.findall(WRAPPING.sub(" ", text.lstrip("\ufeff")))
    if "..." in tokens:
        hint = "print all of it: numpy.set_printoptions(threshold=sys.maxsize), or numpy.save"
        raise BadInput('numbers were left out ("...")', where=where, hint=hint)
    bracketed = any(token in "[]{}" for token in tokens)
    shape = _nested(tokens, where) if bracketed else _lines(text, where)
    numbers = [_number(token, where) for token in tokens if token not in "[]{}"]
    values = np.array([number.value for number in numbers], np.float64)
    resolution = _resolution(numbers, aligned=bracketed)
    return Numbers(values.reshape(shape), resolution.reshape(shape))


def codes(text: str, where: str, bits: int | None = None) -> np.ndarray:
    """Integers in decimal or hexadecimal ("-5", "0xfb"), in the shape that brackets or lines give.

    Args:
        bits: hexadecimal codes are two's complement of so many; None: they are not negative.

    Raises:
        BadInput: something is no integer, or needs more bits.
    """
    tokens = TOKEN.findall(WRAPPING.sub(" ", text.lstrip("\ufeff")))
    bracketed = any(token in "[]{}" for token in tokens)
    shape = _nested(tokens, where) if bracketed else _lines(text, where)
    found = [_code(token, where, bits) for token in tokens if token not in "[]{}"]
    return np.array(found, np.int64).reshape(shape)


def _number(token: str, where: str) -> _Number:
    special = SPECIAL.get(token.lstrip("+-").lower())
    if special is not None:
        return _Number(-special if token.startswith("-") else special)
    if hexadecimal := HEXADECIMAL.match(token):
        return _Number(_bits(hexadecimal[1], hexadecimal[2], where))
    decimal = DECIMAL.match(token)
    if not decimal:
        raise BadInput(f"{token!r} is no number", where=where)
    whole, fraction, exponent = decimal.groups()
    digits = len(whole if fraction is None else fraction)
    if "." not in token and exponent is None:
        return _Number(float(token), None, integer=True)
    return _Number(float(token), int(exponent or 0) - digits, False, None if exponent is None else int(exponent))


def _bits(sign: str, digits: str, where: str) -> float:
    if sign or len(digits) not in BITS:
        hint = "8 or 16 digits are the bits of a float32 or float64; integers need --codes --scale S"
        raise BadInput(f"'{sign}0x{digits}' is no float in hexadecimal", where=where, hint=hint)
    return float(struct.unpack(BITS[len(digits)], bytes.fromhex(digits))[0])


def _code(token: str, where: str, bits: int | None) -> int:
    if hexadecimal := HEXADECIMAL.match(token):
        code = int(hexadecimal[2], 16) * (-1 if hexadecimal[1] == "-" else 1)
        if bits is None:
            return code
        if code >= 1 << bits:
            raise BadInput(f"{token!r} has more than {bits} bits", where=where)
        return code - (1 << bits) if code >= 1 << (bits - 1) else code
    number = _number(token, where)
    if number.value != np.trunc(number.value) or not abs(number.value) < 2**53:
        raise BadInput(f"{token!r} is no integer code", where=where, hint="without --codes it is read as a number")
    return int(number.value)


def _resolution(numbers: Sequence[_Number], *, aligned: bool) -> np.ndarray:
    """Half a unit of the last digit, which aligned numbers have in common."""
    plain = [n.digit for n in numbers if n.digit is not None and n.scientific is None]
    mantissas = [n.digit - n.scientific for n in numbers if n.digit is not None and n.scientific is not None]
    least, finest = min(plain, default=0), min(mantissas, default=0)

    def digit(n: _Number) -> int | None:
        if n.digit is None or not aligned:
            return n.digit
        return least if n.scientific is None else finest + n.scientific

    units = [None if (d := digit(n)) is None else 10.0**d / 2 for n in numbers]
    coarsest = max((u for u in units if u is not None), default=None)
    return np.array([_radius(n, unit, coarsest) for n, unit in zip(numbers, units, strict=True)], np.float64)


def _radius(number: _Number, unit: float | None, coarsest: float | None) -> float:
    if number.integer and coarsest is not None:
        unit = coarsest
    if unit is None:
        return 0.0
    return max(unit, float(FLOAT32.spacing(number.value)) / 2) + float(np.spacing(abs(number.value)))


def _lines(text: str, where: str) -> tuple[int, ...]:
    """(rows, columns) of the lines that hold numbers; (count,) of a single line or column."""
    counts = [len(found) for line in text.splitlines() if (found := TOKEN.findall(WRAPPING.sub(" ", line)))]
    if not counts:
        raise BadInput("holds no numbers", where=where)
    if len(set(counts)) > 1 or len(counts) == 1 or counts[0] == 1:
        return (sum(counts),)
    return (len(counts), counts[0])


def _nested(tokens: Sequence[str], where: str) -> tuple[int, ...]:
    """The shape that brackets give."""
    shapes = list(_groups(iter(tokens), where))
    if len(shapes) == 1 and shapes[0]:
        return shapes[0]
    return _joined(shapes, where)


def _groups(tokens: Iterator[str], where: str, *, inside: bool = False) -> Iterator[tuple[int, ...]]:
    """The shape of each item up to the closing bracket; () for a number."""
    for token in tokens:
        if token in "]}":
            if inside:
                return
            raise BadInput("a bracket is closed that was not opened", where=where)
        yield _joined(list(_groups(tokens, where, inside=True)), where) if token in "[{" else ()
    if inside:
        raise BadInput("a bracket is not closed", where=where)


def _joined(shapes: Sequence[tuple[int, ...]], where: str) -> tuple[int, ...]:
    if len(set(shapes)) > 1:
        raise BadInput("rows have different lengths", where=where)
    return (len(shapes), *(shapes[0] if shapes else ()))
