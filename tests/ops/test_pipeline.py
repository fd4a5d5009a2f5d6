"""Pipeline by hand: in order, radii carried, and what cannot stand inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.one import run

from refconv.errors import UnreadableModel
from refconv.ops.attributes import Unknown, build
from refconv.ops.table import TABLE


def layers(*parts: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"layers": [{"class_name": name, "config": config} for name, config in parts]}


TWICE, MORE = ("Rescaling", {"scale": 2.0}), ("Rescaling", {"scale": 1.0, "offset": 1.0})


def test_in_order() -> None:
    assert run("Pipeline", layers(TWICE, MORE), [[3.0]]).mid.tolist() == [[7]]
    assert run("Pipeline", layers(MORE, TWICE), [[3.0]]).mid.tolist() == [[8]]


def test_the_first_layers_radius_is_carried() -> None:
    first, both = (run("Pipeline", layers(*parts), [[0.3]]) for parts in ((TWICE,), (TWICE, TWICE)))
    assert np.asarray(both.worst) == pytest.approx(2 * np.asarray(first.worst) + 2**-24 * np.abs(both.mid))


def test_random_layers_inside_are_idle() -> None:
    assert run("Pipeline", layers(("RandomFlip", {})), [[[[0.3]]]]).exact


@pytest.mark.parametrize("name", ["LSTM", "Dense", "TimeDistributed", "Snowman"])
def test_what_cannot_stand_inside(name: str) -> None:
    config = {"units": 1} if name == "Dense" else {}
    with pytest.raises(Unknown, match=f"no reference for {name}.* inside Pipeline"):
        build(TABLE["Pipeline"].attributes, layers((name, config)), "x")
    with pytest.raises(UnreadableModel, match="layers"):
        build(TABLE["Pipeline"].attributes, {"layers": []}, "x")
