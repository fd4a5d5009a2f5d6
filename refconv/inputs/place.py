"""Which elements of a layer's output a person observed: all, some samples, positions or channels, or one element."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from refconv.errors import BadInput
from refconv.inputs.observed import Observed
from refconv.inputs.shapes import text

PART = re.compile(r"\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?)?\s*$")
AT = "--at"


@dataclass(frozen=True)
class Place:
    """Where the observed values stand, as the user says.

    Attributes:
        at: "H,W", "H,W,C", "0:3,0:3": a number or a slice for each position axis, and one for the channel, or none for
            all channels. Positions come first whatever the layer's data format is. "" for all.
        channel: the only channel; None for those of `at`.
        sample: the only sample; None for all.
    """

    at: str = ""
    channel: int | None = None
    sample: int | None = None

    @property
    def everything(self) -> bool:
        return not self.at and self.channel is None and self.sample is None


def indices(place: Place, shape: tuple[int, ...], channel_axis: int) -> tuple[np.ndarray, ...]:
    """One array of indices per axis of an output of that shape, batch first.

    Raises:
        BadInput: the place has other axes, or lies outside.
    """
    axes = [axis for axis in range(1, len(shape)) if axis != channel_axis % len(shape)]
    axes.append(channel_axis % len(shape))
    found = [np.arange(length) for length in shape]
    if place.sample is not None:
        found[0] = _inside(place.sample, place.sample, shape[0], "--sample", "samples")
    if place.at:
        parts = place.at.split(",")
        if len(parts) not in (len(axes), len(axes) - 1):
            wanted = "H,W[,C]" if len(axes) == 3 else ",".join(["I"] * (len(axes) - 1) + ["C"])
            what = f"{place.at!r} names {len(parts)} axes; an output of shape {text(shape)} has {len(axes)}"
            raise BadInput(what, where=AT, hint=f"{wanted}, each a number or a slice a:b")
        for axis, part in zip(axes, parts, strict=False):
            found[axis] = _part(part, shape[axis], place.at)
        if len(parts) == len(axes) and place.channel is not None:
            raise BadInput(f"{place.at!r} names a channel too", where="--channel")
    if place.channel is not None:
        found[axes[-1]] = _inside(place.channel, place.channel, shape[axes[-1]], "--channel", "channels")
    return tuple(found)


def element(place: Place, shape: tuple[int, ...], channel_axis: int) -> tuple[int, ...]:
    """The index of the one element that the place names; the first sample where none is named.

    Raises:
        BadInput: it names several, or none inside.
    """
    found = indices(Place(place.at, place.channel, place.sample or 0), shape, channel_axis)
    if any(len(i) != 1 for i in found):
        hint = f"one number for each axis of {text(shape[1:])}, the channel last"
        raise BadInput(f"{place.at or 'nothing'!r} is not one element", where=AT, hint=hint)
    return tuple(int(i[0]) for i in found)


def put(seen: Observed, place: Place, shape: tuple[int, ...], channel_axis: int) -> tuple[Observed, tuple | None]:
    """What was observed, in the shape of its place in an output of `shape`, and the place; None for all of it.

    A whole output may lack the batch axis, or all axes (a text). One of another shape stays as it is: that may be what
    is wrong with it.

    Raises:
        BadInput: the values do not fit the place.
    """
    if place.everything:
        return _whole(seen, shape), None
    at = indices(place, shape, channel_axis)
    wanted = tuple(len(i) for i in at)
    if _squeezed(seen.shape) != _squeezed(wanted) and not (
        len(_squeezed(seen.shape)) <= 1 and seen.values.size == prod(wanted)
    ):
        what = f"has shape {text(seen.shape)}; the place that was named has {text(wanted)}"
        raise BadInput(what, where=seen.source, hint=_advice(seen, shape))
    return seen.reshape(wanted), at


def _whole(seen: Observed, shape: tuple[int, ...]) -> Observed:
    given = seen.shape
    if given == shape:
        return seen
    if seen.values.size == prod(shape) and (len(given) < 2 or _squeezed(given) == _squeezed(shape)):
        return seen.reshape(shape)
    if len(given) == len(shape):
        return seen
    if len(given) == len(shape) - 1 and len(given) > 1:
        if shape[0] == 1:
            return seen.reshape((1, *given))
        what = f"has shape {text(given)}, without samples; the layer gives {text(shape)}"
        raise BadInput(what, where=seen.source, hint="say which sample it is of: --sample N")
    if len(given) == 2 and seen.values.size == prod(shape) and given[0] == shape[0]:  # a row of a table per sample
        return seen.reshape(shape)
    what = f"has shape {text(given)}; the layer gives {text(shape)}"
    raise BadInput(what, where=seen.source, hint=_advice(seen, shape))


def _advice(seen: Observed, shape: tuple[int, ...]) -> str:
    single = seen.values.size == 1
    return "say which element it is: --at" if single else f"say which part of {text(shape)} it is: --at, --channel"


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _part(part: str, length: int, whole: str) -> np.ndarray:
    matched = PART.match(part)
    if not matched or (matched[1] is None and matched[2] is None):
        raise BadInput(f"{part!r} in {whole!r} is no number and no slice", where=AT, hint="H,W,C or 0:3,0:3")
    if matched[2] is None:
        return _inside(int(matched[1]), int(matched[1]), length, AT, "elements")
    start = 0 if matched[1] is None else int(matched[1])
    stop = length if matched[3] is None else int(matched[3])
    start, stop = (n + length if n < 0 else n for n in (start, stop))
    if start >= stop:
        raise BadInput(f"the slice {part!r} in {whole!r} is empty", where=AT)
    return _inside(start, stop - 1, length, AT, "elements")


def _inside(first: int, last: int, length: int, option: str, what: str) -> np.ndarray:
    first, last = (n + length if n < 0 else n for n in (first, last))
    if not 0 <= first <= last < length:
        raise BadInput(f"{last if first >= 0 else first} lies outside: there are {length} {what}", where=option)
    return np.arange(first, last + 1)
