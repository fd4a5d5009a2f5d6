"""Rules of the model's input: each accepts what such an input gives, and rejects what another does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from support.asked import CONTEXT, ask, conv, drawn, output

from refconv.compare.counterfactuals.base import Case
from refconv.diagnose.engine import Diagnosis, diagnose
from refconv.diagnose.fed import MADE, given_as
from refconv.diagnose.rules import (
    rc501_input_scaled,
    rc502_colour_order,
    rc503_preprocessing,
    rc504_input_layout,
    rc505_batch_order,
)
from refconv.inputs.preprocess import preprocess

RULES = tuple(
    module.RULE
    for module in (rc501_input_scaled, rc502_colour_order, rc503_preprocessing, rc504_input_layout, rc505_batch_order)
)
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 7, 7, 3)).astype(np.float32)


def before(x: np.ndarray) -> np.ndarray:
    """The layers before: they clip, so that a factor on the input is none on theirs."""
    return np.tanh(x.astype(np.float64) / 64).astype(np.float32)


def asked(given: np.ndarray, fed: np.ndarray, layers: Callable[[np.ndarray], np.ndarray] = before) -> Diagnosis:
    """Why does the layer behind `layers`, of which `given` is said to be the input, give what `fed` gives?"""
    right = conv(layers(given))
    wrong = output(right.with_input(layers(fed)))

    def rerun(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        return (layers(np.asarray(arrays[0])),)

    return diagnose(ask(right, wrong, model_inputs=(given,), rerun=rerun), CONTEXT, rules=RULES)


def told(found: Diagnosis) -> list[tuple[str, str]]:
    return [(one.rules[0].code, one.last.label) for one in found.found]


@pytest.mark.parametrize("given", ["pixels", "pixels/255", "pixels/256"])
@pytest.mark.parametrize("fed", ["pixels", "pixels/255", "pixels/256"])
def test_a_scale_is_found_and_named(given: str, fed: str) -> None:
    found = asked(MADE[given][0](PIXELS), MADE[fed][0](PIXELS))
    assert told(found) == ([] if given == fed else [("RC501", f"{fed} in place of {given}")])


def test_the_scale_of_what_is_no_pixel_is_found() -> None:
    x = drawn(2, 7, 7, 3) * 40
    assert told(asked(x, x / np.float32(256))) == [("RC501", "the input divided by 256")]


@pytest.mark.parametrize("fed", [name for name in MADE if not name.startswith("pixels/25") and name != "pixels"])
def test_a_preprocessing_is_found_and_named(fed: str) -> None:
    found = asked(MADE["pixels/255"][0](PIXELS), MADE[fed][0](PIXELS))
    assert told(found) == [("RC503", f"{fed} in place of pixels/255")]


def test_colours_layout_and_axes_are_found() -> None:
    x = drawn(2, 7, 7, 3) * 40
    assert told(asked(x, x[..., ::-1])) == [("RC502", "")]
    assert told(asked(x, np.moveaxis(x, -1, 1).reshape(x.shape))) == [("RC504", "written as NCHW, read as NHWC")]
    assert told(asked(x, np.moveaxis(x, 1, -1).reshape(x.shape))) == [("RC504", "written as NHWC, read as NCHW")]
    assert told(asked(x, x.swapaxes(1, 2))) == [("RC504", "height and width swapped")]


def test_the_order_of_samples_is_found() -> None:
    x = drawn(3, 7, 7, 3) * 40
    assert told(asked(x, x[[2, 0, 1]])) == [("RC505", "0, 1, 2 are those of 2, 0, 1")]
    assert told(asked(x, x[[0, 0, 0]])) == [("RC505", "0, 1, 2 are those of 0, 0, 0")]


def test_another_input_is_explained_by_none() -> None:
    x = drawn(2, 7, 7, 3) * 40
    assert told(asked(x, x * np.float32(1.01))) == []
    assert told(asked(x, drawn(2, 7, 7, 3, seed=5))) == []


def test_without_the_model_nothing_is_proposed_but_the_order() -> None:
    right: Case = conv()
    question = ask(right, output(right))
    assert [rule.code for rule in RULES if list(rule.propose(question))] == []


@pytest.mark.parametrize("name", list(MADE))
def test_pixels_are_recovered_exactly(name: str) -> None:
    known = given_as(MADE[name][0](PIXELS))
    assert known is not None and known[0] == name
    np.testing.assert_array_equal(known[1], PIXELS)


def test_what_was_made_of_no_pixels_is_known_as_such() -> None:
    assert given_as(drawn(2, 7, 7, 3)) is None


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("unit", "pixels/255"),
        ("tf", "pixels/127.5 - 1"),
        ("caffe", "pixels in BGR - mean"),
        ("torch", "(pixels/255 - mean)/deviation"),
    ],
)
def test_each_is_made_as_the_option_preprocess_makes_it(mode: str, name: str) -> None:
    np.testing.assert_array_equal(MADE[name][0](PIXELS), preprocess(PIXELS, mode))
