"""Canonical attributes: frozen dataclasses whose fields know how to read themselves from a configuration.

    @dataclass(frozen=True)
    class Pooling:
        pool_size: tuple[int, ...] = attribute(integers(2, minimum=1))
        padding: str = attribute(choice("valid", "same"), default="valid")

Field names are those of Keras 3's `get_config`; a dialect has already translated older spellings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any

from refconv.errors import UnreadableModel

Reader = Callable[[Any], Any]


class Unknown(UnreadableModel):
    """The configuration has a field or value that refconv has no reference for: the layer is unverified."""


def attribute(read: Reader, default: Any = MISSING) -> Any:
    """A dataclass field read by `read`, which raises ValueError with what it wants."""
    return field(default=default, metadata={"read": read})


def build(cls: type, config: Mapping[str, Any], where: str) -> Any:
    """Read `config` into `cls`.

    Raises:
        UnreadableModel: a value does not fit its field, or a required field is missing.
        Unknown: the configuration has a field that `cls` does not know.
    """
    known = {f.name: f for f in fields(cls)}
    if strange := sorted(set(config) - set(known)):
        raise Unknown(f"attribute {strange[0]!r} = {config[strange[0]]!r} has no reference", where=where)
    return cls(**{name: _read(f, config, where) for name, f in known.items()})


def _read(f: Any, config: Mapping[str, Any], where: str) -> Any:
    if f.name not in config:
        if f.default is MISSING:
            raise UnreadableModel(f"attribute {f.name!r} is missing", where=where)
        return f.default
    try:
        return f.metadata["read"](config[f.name])
    except ValueError as error:
        raise UnreadableModel(f"{f.name} = {config[f.name]!r}: {error}", where=where) from None


def integer(minimum: int | None = None) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("an integer is wanted")
        if minimum is not None and value < minimum:
            raise ValueError(f"at least {minimum} is wanted")
        return value

    return read


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number is wanted")
    if value != value:
        raise ValueError("a number is wanted, which NaN is not")
    return float(value)


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is wanted")
    return value


def choice(*allowed: Any) -> Reader:
    def read(value: Any) -> Any:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(map(str, allowed)) + " is wanted")
        return value

    return read


def optional(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def integers(length: int, minimum: int = 0) -> Reader:
    """`length` integers, from a list or from one integer for all."""
    one = integer(minimum)

    def read(value: Any) -> tuple[int, ...]:
        values = [value] * length if isinstance(value, int) else value
        if not isinstance(values, (list, tuple)) or len(values) != length:
            raise ValueError(f"{length} integers are wanted")
        return tuple(one(v) for v in values)

    return read
