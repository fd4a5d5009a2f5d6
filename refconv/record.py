"""Frozen dataclasses that cost a start next to nothing.

`dataclass(frozen=True)` writes and compiles six methods a class, 0.8 ms; the two hundred classes behind the table of
layers made that 0.2 s of every command. Records share six methods that go by the fields; `dataclasses.fields`,
`replace` and `asdict` take them as any other dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, make_dataclass
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: Any = None, /, *, kw_only: bool = False) -> Any:
    """`dataclass(frozen=True, kw_only=kw_only)`; of what the class defines itself nothing is replaced."""
    return _made(cls, kw_only) if cls is not None else lambda cls: _made(cls, kw_only)


def make_record(name: str, of: Iterable[Any], bases: tuple[type, ...] = ()) -> Any:
    """`make_dataclass(name, of, bases=bases, frozen=True, kw_only=True)`."""
    made = make_dataclass(name, of, bases=bases, init=False, repr=False, eq=False, kw_only=True)
    return _with_methods(made)


def _made(cls: Any, kw_only: bool) -> Any:
    own_doc = cls.__doc__
    cls.__doc__ = own_doc or ""  # else `dataclass` makes one of the signature, which takes longer than all the rest
    made = _with_methods(dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls))
    made.__doc__ = own_doc
    return made


def _with_methods(cls: Any) -> Any:
    for method in (_init, _repr, _eq, _hash, _set, _delete):
        if method.__name__ not in vars(cls):
            setattr(cls, method.__name__, method)
    return cls


def _named(name: str) -> Callable[[T], T]:
    def rename(method: T) -> T:
        method.__name__ = name  # type: ignore[attr-defined]
        return method

    return rename


@_named("__init__")
def _init(self: Any, /, *given: Any, **named: Any) -> None:
    taken = vars(self)
    wanted = [f for f in fields(self) if f.init]
    for f, value in zip((f for f in wanted if not f.kw_only), _fitting(self, given, wanted), strict=False):
        if f.name in named:
            raise TypeError(f"{type(self).__name__} is given {f.name!r} twice")
        taken[f.name] = value
    for f in wanted:
        if f.name not in taken:
            taken[f.name] = named.pop(f.name) if f.name in named else _default(self, f)
    if named:
        raise TypeError(f"{type(self).__name__} has no field {next(iter(named))!r}")
    if after := getattr(self, "__post_init__", None):
        after()


def _fitting(self: Any, given: tuple[Any, ...], wanted: list[Field[Any]]) -> tuple[Any, ...]:
    most = sum(not f.kw_only for f in wanted)
    if len(given) > most:
        raise TypeError(f"{type(self).__name__} takes {most} values by position, {len(given)} were given")
    return given


def _default(self: Any, f: Field[Any]) -> Any:
    if f.default is not MISSING:
        return f.default
    if f.default_factory is not MISSING:
        return f.default_factory()
    raise TypeError(f"{type(self).__name__} needs {f.name!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, f.name) for f in fields(self) if f.compare)


@_named("__repr__")
def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


@_named("__eq__")
def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


@_named("__hash__")
def _hash(self: Any) -> int:
    return hash(_values(self))


@_named("__setattr__")
def _set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


@_named("__delattr__")
def _delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
