"""What was observed of an output, put into it."""

import numpy as np

from refconv.diagnose.observation import Observation
from refconv.numerics.enclosure import Enclosure

MID = Enclosure(np.arange(24.0).reshape(1, 2, 3, 4))
PART = (np.array([0]), np.array([1]), np.array([0, 2]), np.array([3]))


def test_a_part_takes_its_places_and_no_others() -> None:
    seen = Observation(np.full((1, 1, 2, 1), 99.0), PART)
    full = seen.filled(MID)
    assert np.array_equal(np.flatnonzero(full != MID.mid), [15, 23])
    assert seen.mask((1, 2, 3, 4)).sum() == 2
    assert seen.fits((1, 2, 3, 4)) and not seen.fits((1, 2, 2, 4)) and not seen.fits((1, 24))


def test_of_what_digits_leave_open_the_nearest_is_taken() -> None:
    seen = Observation(MID.mid + [0.04, -0.04, 0.06, 0.0], resolution=0.05)
    left = seen.filled(MID) - MID.mid
    assert np.allclose(left[..., :2], 0) and np.allclose(left[..., 2], 0.01)
    assert not seen.whole and Observation(MID.mid).whole


def test_some_channels_of_what_was_observed() -> None:
    whole = Observation(MID.mid).among(-1, np.array([1, 3]))
    assert np.array_equal(whole.values, MID.mid[..., [1, 3]])
    part = Observation(np.ones((1, 1, 2, 1)), PART)
    assert np.array_equal(part.channels(-1, 4), [3])
    kept = part.among(-1, np.array([2, 3]))
    assert np.array_equal(kept.at[-1], [1]) and kept.values.shape == (1, 1, 2, 1)
    assert part.among(-1, np.array([0, 1])).values.size == 0
