"""A quantizer as an activation: which values may come out of an enclosure."""

from __future__ import annotations

import numpy as np

from refconv.numerics.enclosure import Enclosure, Z
from refconv.ops.functions.elementwise import radii
from refconv.quantizers.base import Quantizer


def quantize(quantizer: Quantizer, e: Enclosure) -> Enclosure:
    """The enclosure of quantizer(x) for x in `e`.

    Near a rounding boundary both neighbours may come out, elsewhere exactly one value: `lattices` says which. Where the
    framework draws random numbers, `mid` is one possible draw and the lattices hold them all.
    """
    with np.errstate(all="ignore"):
        y = quantizer.quantize(e.mid).values.astype(np.float64)
        near, far = (quantizer.enclose(e.mid, radius) for radius in radii(e))
        probable, limit = (np.fmax(lattice.high - y, y - lattice.low) for lattice in (near, far))
    widths = np.nan_to_num(probable, nan=np.inf) / Z, np.nan_to_num(limit, nan=np.inf)
    return Enclosure(y, *widths, 0.0, e.overflow, lattices=(near, far), accumulator=e.accumulator)
