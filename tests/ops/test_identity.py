"""Layers that are the identity at inference."""

from __future__ import annotations

import numpy as np
import pytest
from support.laws import CONTEXT

from refconv.numerics.enclosure import Enclosure
from refconv.ops import identity
from refconv.ops.attributes import Unknown, build


@pytest.mark.parametrize("row", identity.ROWS, ids=lambda row: row.keras)
def test_gives_back_the_enclosure_itself(row: object) -> None:
    e = Enclosure(np.array([1, 2]), 0.1, 1.0)
    assert row.forward(build(row.attributes, {}, "x"), {}, (e,), CONTEXT) is e
    assert row.exact and not row.weights(None)


def test_every_kind_of_noise_has_a_row() -> None:
    names = {row.keras for row in identity.ROWS} - set(identity.AUGMENTING)
    noise = {"Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"}
    assert names == noise | {"Identity"} | {f"SpatialDropout{n}D" for n in (1, 2, 3)}


def test_an_unheard_of_attribute_is_not_ignored() -> None:
    row = next(r for r in identity.ROWS if r.keras == "Dropout")
    with pytest.raises(Unknown, match="always_on"):
        build(row.attributes, {"always_on": True}, "x")
