"""Dense by hand, of any rank."""

from __future__ import annotations

import numpy as np
import pytest
from support.one import holds, run

from refconv.errors import UnreadableModel

KERNEL = np.array([[1.0, 2], [10, 20], [100, 200]])


def test_by_hand() -> None:
    found = run("Dense", {"units": 2, "use_bias": True}, [[1.0, 2, 3]], kernel=KERNEL, bias=[0.5, -0.5])
    assert found.mid.tolist() == [[321.5, 641.5]]
    assert found.exact
    assert holds(found, [[321.5, 641.5]])
    assert not holds(found, [[321, 642]])


def test_over_the_last_axis_of_any_rank() -> None:
    x = np.arange(24.0).reshape(2, 2, 2, 3)
    found = run("Dense", {"units": 2, "use_bias": False}, x, kernel=KERNEL)
    assert found.mid.tolist() == (x @ KERNEL).tolist()


def test_bias_then_activation() -> None:
    found = run("Dense", {"units": 1, "activation": "relu"}, [[1.0], [3.0]], kernel=[[1.0]], bias=[-2.0])
    assert found.mid.ravel().tolist() == [0, 1]


def test_a_kernel_that_does_not_fit() -> None:
    with pytest.raises((UnreadableModel, ValueError), match="3"):
        run("Dense", {"units": 2, "use_bias": False}, [[1.0, 2]], kernel=KERNEL)
