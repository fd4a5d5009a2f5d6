"""Groups or channels in another order.

## What
Filters meet the channels of another group, or channels numbered (group, k) are taken as (k, group): of a depthwise
layer, (channel, multiplier) as (multiplier, channel).

## Why
ShuffleNet shuffles channels between grouped convolutions; libraries differ in whether a depthwise output counts its
multiplier first.

## Example
Two channels with multiplier 2 give c0m0, c0m1, c1m0, c1m1; the other order is c0m0, c1m0, c0m1, c1m1.

## Fix
Number the output channels group by group: of a depthwise layer, c·multiplier + m.
"""

from collections.abc import Iterator

import numpy as np

from refconv.compare.counterfactuals.base import Case
from refconv.compare.counterfactuals.kernels import spatial
from refconv.diagnose.alter import both, by_rows
from refconv.diagnose.rule import Change, Question, Rule
from refconv.ops.convolution import Convolution
from refconv.ops.depthwise import Depthwise
from refconv.ops.spatial import CHANNELS_FIRST

ROWS = by_rows("groups regrouped")


def propose(question: Question) -> Iterator[Change]:
    case = question.case
    for change in ROWS(question):
        yield Change("input channels", change.case)
    if isinstance(case.attrs, Depthwise):
        yield from _depthwise(case)
    elif isinstance(case.attrs, Convolution) and case.attrs.groups > 1:
        step = case.attrs.filters // case.attrs.groups
        for label, shift in (("filters of the next group", -step), ("filters of the group before", step)):
            turned = case.with_weights(kernel=np.roll(case.weights["kernel"], shift, axis=-1))
            yield Change(label, turned)
        yield from _shuffled(case, case.attrs.groups)


def _depthwise(case: Case) -> Iterator[Change]:
    """The kernel's last two axes in the other order, and the output's channels."""
    name = spatial(case.attrs)
    channels, multiplier = case.weights[name].shape[-2:]
    if min(channels, multiplier) < 2:
        return

    def turned(c: Case) -> Case:
        w = c.weights[name]
        return c.with_weights(**{name: w.swapaxes(-1, -2).reshape(w.shape)})

    def back(c: Case) -> Case:
        w = c.weights[name]
        return c.with_weights(**{name: w.reshape(*w.shape[:-2], multiplier, channels).swapaxes(-1, -2)})

    for alter in (turned, back):
        for altered in both(case, alter):
            yield Change("multiplier before channel, in the kernel", altered)
    if name == "kernel":
        yield from _shuffled(case, channels)


def _shuffled(case: Case, groups: int) -> Iterator[Change]:
    axis = 1 if case.attrs.data_format == CHANNELS_FIRST else -1

    def shuffle(y: np.ndarray) -> np.ndarray:
        order = np.arange(y.shape[axis]).reshape(groups, -1).T.ravel()
        return y.take(order, axis)

    yield Change("output channels", case, after=shuffle)


RULE = Rule("RC209", "groups or channels in another order", __doc__, propose)
