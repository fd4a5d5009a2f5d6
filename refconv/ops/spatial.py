"""What layers over images share: attributes per spatial axis, the two data formats, and checks that weights fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refconv.errors import UnreadableModel
from refconv.numerics.enclosure import Enclosure
from refconv.ops.attributes import Reader, Unknown, attribute, choice, integers

CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"


def axes(rank: int, default: int | None = 1, minimum: int = 1) -> Any:
    """An attribute of one integer per spatial axis, required if `default` is None."""
    read = integers(rank, minimum)
    return attribute(read) if default is None else attribute(read, default=(default,) * rank)


def read_data_format(value: Any) -> str:
    """channels_first or channels_last; a configuration without one means channels_last."""
    return CHANNELS_LAST if value is None else choice(CHANNELS_LAST, CHANNELS_FIRST)(value)


def data_format() -> Any:
    return attribute(read_data_format, default=CHANNELS_LAST)


def padding(rank: int = 0) -> Any:
    """valid or same; along one axis causal too."""
    return attribute(choice("valid", "same", *(("causal",) if rank == 1 else ())), default="valid")


def only(field: str, *known: Any) -> Reader:
    """Reader of a field that has a reference only where it is one of `known`; any other makes the layer unverified."""

    def read(value: Any) -> Any:
        if value not in known:
            raise Unknown(f"{field} = {value!r} has no reference; only {' and '.join(map(repr, known))}")
        return value

    return read


def lengths(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """The spatial part of an input's shape."""
    return shape[2:] if layout == CHANNELS_FIRST else shape[1:-1]


def channels_last(x: np.ndarray, layout: str, rank: int) -> np.ndarray:
    """A view of x as (N, *spatial, C).

    Raises:
        UnreadableModel: x does not have `rank` spatial axes.
    """
    if x.ndim != rank + 2:
        raise UnreadableModel(f"an input of {rank + 2} dimensions is wanted, this one has {x.ndim}: {x.shape}")
    return np.moveaxis(x, 1, -1) if layout == CHANNELS_FIRST else x


def restore(enclosure: Enclosure, layout: str) -> Enclosure:
    """From (N, *spatial, C) back to the layer's own layout; fields that broadcast keep their number of axes."""
    return enclosure.move(lambda v: np.moveaxis(v, -1, 1)) if layout == CHANNELS_FIRST else enclosure


def locate(index: tuple[int, ...], layout: str) -> tuple[int, tuple[int, ...], int]:
    """(sample, position, channel) of an element's index in the layer's own layout."""
    if layout == CHANNELS_FIRST:
        return index[0], index[2:], index[1]
    return index[0], index[1:-1], index[-1]


def moved(enclosure: Enclosure, layout: str, rank: int, f: Callable[[np.ndarray], np.ndarray]) -> Enclosure:
    """Apply to every field a function that moves elements of (N, *spatial, C)."""
    return restore(enclosure.move(lambda v: f(channels_last(v, layout, rank))), layout)


def fit_channels(kernel: np.ndarray, axis: int, channels: int, groups: int = 1, name: str = "kernel") -> None:
    """Check that the kernel's `axis` takes the input's channels.

    Raises:
        UnreadableModel: it does not; both numbers are named.
    """
    if channels % groups:
        raise UnreadableModel(f"{channels} input channels cannot be split into {groups} groups")
    if kernel.shape[axis] * groups != channels:
        wanted = f"{kernel.shape[axis] * groups} input channels"
        raise UnreadableModel(f"{name} of shape {kernel.shape} takes {wanted}, but the input has {channels}")


def fit_bias(bias: np.ndarray, channels: int) -> None:
    """Check that there is one bias per output channel.

    Raises:
        UnreadableModel: there is not; both numbers are named.
    """
    if bias.shape != (channels,):
        raise UnreadableModel(f"bias of shape {bias.shape} does not fit {channels} output channels")
