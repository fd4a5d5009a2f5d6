"""Records beside the dataclasses that they stand for."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, make_dataclass, replace
from functools import cached_property
from typing import Any

import pytest

from refconv.record import make_record, record


def written(decorate: Any) -> Any:
    """The same two classes, made by one decorator or by the other."""

    @decorate
    class Base:
        a: int
        b: tuple[int, ...] = (1, 2)
        held: list[int] = field(default_factory=list, compare=False)

        @cached_property
        def twice(self) -> int:
            return 2 * self.a

    @decorate
    class Made(Base):
        c: str = field(default="x", repr=False)

        def __post_init__(self) -> None:
            if self.c == "wrong":
                raise ValueError("wrong")

    return Made


@record(kw_only=True)
class Named:
    """Told by name."""

    size: int
    rate: float = 0.5


RECORD, PLAIN = written(record), written(dataclass(frozen=True))
FITTING = [((3,), {}), ((3, (4,)), {"c": "y"}), ((), {"a": 3, "held": [1]}), ((3, (4,), [5], "z"), {})]
UNFIT = [((), {}), ((1,), {"a": 1}), ((1,), {"d": 1}), ((1, (2,), [3], "x", 5), {})]


@pytest.mark.parametrize("given, named", FITTING)
def test_what_fits_is_held_shown_compared_and_hashed_as_a_dataclass_does(given: Any, named: Any) -> None:
    ours, other = RECORD(*given, **named), PLAIN(*given, **named)
    assert asdict(ours) == asdict(other)
    assert repr(ours).partition("(")[2] == repr(other).partition("(")[2]
    assert hash(ours) == hash(other)
    assert ours == RECORD(*given, **named)
    assert ours != other
    assert [f.name for f in fields(ours)] == [f.name for f in fields(other)]
    assert ours.twice == 6


@pytest.mark.parametrize("given, named", UNFIT)
def test_what_does_not_fit_is_a_type_error_in_both(given: Any, named: Any) -> None:
    for made in (RECORD, PLAIN):
        with pytest.raises(TypeError):
            made(*given, **named)


def test_nothing_can_be_set_or_deleted() -> None:
    ours = RECORD(3)
    with pytest.raises(FrozenInstanceError):
        ours.a = 4
    with pytest.raises(FrozenInstanceError):
        del ours.a
    assert ours.a == 3


def test_values_decide_equality_and_fields_that_are_not_compared_do_not() -> None:
    assert RECORD(3) != RECORD(4)
    assert RECORD(3, held=[1]) == RECORD(3, held=[2])


def test_a_check_after_the_fields_runs_also_when_one_is_replaced() -> None:
    assert replace(RECORD(3), c="y").c == "y"
    with pytest.raises(ValueError, match="wrong"):
        replace(RECORD(3), c="wrong")


def test_by_name_alone() -> None:
    assert Named(size=3) == Named(size=3, rate=0.5)
    assert Named.__doc__ == "Told by name."
    with pytest.raises(TypeError, match="0 values by position"):
        Named(3)  # type: ignore[misc]


def test_a_class_that_is_made_extends_its_base_as_make_dataclass_does() -> None:
    extra = [("kernel", int, field(default=7)), ("bias", int)]
    ours = make_record("Made", extra, bases=(Named,))
    base = make_dataclass("Base", [("size", int), ("rate", float, 0.5)], frozen=True, kw_only=True)
    other = make_dataclass("Made", extra, bases=(base,), frozen=True, kw_only=True)
    assert asdict(ours(size=1, bias=2)) == asdict(other(size=1, bias=2))
    with pytest.raises(TypeError):
        ours(size=1)


def test_copies_and_pickles() -> None:
    ours = Named(size=3)
    assert copy.deepcopy(ours) == ours == pickle.loads(pickle.dumps(ours))
