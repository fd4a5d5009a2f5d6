"""What a kernel that cannot be simulated might give is called compatible, and no more."""

import numpy as np
import pytest
from support.asked import CONTEXT, ask, case, conv, drawn, output

from refconv.compare.declared import SINGLE
from refconv.diagnose.compatible import compatible
from refconv.diagnose.engine import diagnose
from refconv.diagnose.findings import findings
from refconv.numerics.arithmetic import WINOGRAD2, WINOGRAD4
from refconv.ops.base import Context


def blurred(factor: float) -> tuple[object, np.ndarray]:
    """A convolution off by a share of the bound of Winograd's F(4×4, 3×3), to both sides."""
    from dataclasses import replace

    right = conv(drawn(1, 12, 12, 3), padding="same")
    wide = right.enclose(Context(CONTEXT.engine, replace(SINGLE, algorithm=WINOGRAD4)))[0]
    sides = np.where(drawn(*wide.mid.shape, seed=1) > 0, 1, -1)
    return right, (wide.mid + factor * sides * np.asarray(wide.probable)).astype(np.float32)


@pytest.mark.parametrize(("factor", "codes"), [(0.5, ["RC904", "RC901"]), (20.0, ["RC901"])])
def test_winograd(factor: float, codes: list[str]) -> None:
    right, wrong = blurred(factor)
    question = ask(right, wrong)  # type: ignore[arg-type]
    found = findings(question, diagnose(question, CONTEXT, seconds=0.0), CONTEXT)
    assert [finding.code for finding in found] == codes
    if factor < 1:
        assert WINOGRAD4 in found[0].evidence and WINOGRAD2 not in compatible(question, CONTEXT)


def test_sums_in_sixteen_bits_want_values_of_that_format() -> None:
    x, kernel = drawn(4, 300), drawn(300, 5)
    right = case("Dense", {"units": 5, "use_bias": False}, x, kernel=kernel)
    total = np.zeros((4, 5), np.float16)
    for i in np.random.default_rng(0).permutation(300):
        total = total + (x[:, i, None].astype(np.float16) * kernel[i].astype(np.float16))
    half = total.astype(np.float32)
    assert compatible(ask(right, half), CONTEXT) == ("sums in float16",)
    assert compatible(ask(right, half * np.float32(1 + 2.0**-20)), CONTEXT) == ()


def test_what_has_no_other_kernel_is_compatible_with_none() -> None:
    right = case("ReLU", {}, drawn(2, 3))
    assert compatible(ask(right, output(right) + 1), CONTEXT) == ()
