"""Parameters of quantizers: dataclass fields that know how to read themselves from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields
from math import frexp
from typing import Any, TypeVar

from refconv.errors import UnreadableModel

Reader = Callable[[Any], Any]
Alpha = float | str | tuple | None

Built = TypeVar("Built")


def parameter(read: Reader, default: Any) -> Any:
    """A field that changes values; `read` raises ValueError with what it wants."""
    return field(default=default, metadata={"read": read})


def unused(default: Any) -> Any:
    """A field that QKeras takes in this place and that changes nothing at inference."""
    return field(default=default, metadata={"read": lambda value: value}, compare=False, repr=False)


def process_state(default: str) -> Any:
    """What QKeras keeps for the whole process and no file records: never read from a configuration."""
    return field(default=default, kw_only=True)


def build(cls: type[Built], given: Sequence[Any], named: Mapping[str, Any], where: str) -> Built:
    """An instance from positional and named arguments, the positional ones in QKeras's own order.

    Raises:
        UnreadableModel: a name or a number of arguments that the quantizer does not take, or a value that does not fit.
    """
    known = {f.name: f.metadata["read"] for f in fields(cls) if "read" in f.metadata}  # type: ignore[arg-type]
    if len(given) > len(known):
        raise UnreadableModel(f"{len(given)} arguments, at most {len(known)} are taken", where=where)
    arguments = dict(zip(known, given, strict=False))
    if twice := sorted(set(arguments) & set(named)):
        raise UnreadableModel(f"argument {twice[0]!r} is given twice", where=where)
    arguments.update(named)
    if strange := sorted(map(str, set(arguments) - set(known))):
        raise UnreadableModel(f"argument {strange[0]!r} is not known", where=where)
    try:
        return cls(**{name: _read(name, known[name], value) for name, value in arguments.items()})
    except ValueError as error:
        raise UnreadableModel(str(error), where=where) from None


def _read(name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name} = {value!r}: {error}") from None


def whole(minimum: int | None = None) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not float(value).is_integer():
            raise ValueError("a whole number is wanted")
        if minimum is not None and value < minimum:
            raise ValueError(f"at least {minimum} is wanted")
        return int(value)

    return read


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e30:
        raise ValueError("a number below 1e30 is wanted")
    return float(value)


def at_least_zero(value: Any) -> float:
    if number(value) < 0:
        raise ValueError("at least 0 is wanted")
    return float(value)


def slope(value: Any) -> float:
    """A slope for negative inputs: QKeras takes 0 and powers of two."""
    if at_least_zero(value) and frexp(value)[0] != 0.5:
        raise ValueError("0 or a power of two is wanted")
    return float(value)


def flag(value: Any) -> bool:
    if not isinstance(value, (bool, int, float)) or value not in (0, 1):
        raise ValueError("true or false is wanted")
    return bool(value)


def optional(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def choice(*allowed: str) -> Reader:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(map(repr, allowed)) + " is wanted")
        return value

    return read


def alpha(value: Any) -> Alpha:
    """None, a number, "auto", "auto_po2" or nested lists of numbers (a scale per channel)."""
    if isinstance(value, str):
        return choice("auto", "auto_po2")(value)
    if isinstance(value, (list, tuple)):
        return tuple(alpha(v) if isinstance(v, (list, tuple)) else number(v) for v in value)
    return None if value is None else number(value)
