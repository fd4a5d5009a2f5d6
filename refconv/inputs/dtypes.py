"""Values into the dtype that a model's input declares, without changing what they mean."""

from __future__ import annotations

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec

STRINGS = ("string", "str", "object")


def is_string(spec: TensorSpec) -> bool:
    return spec.dtype in STRINGS


def of(spec: TensorSpec) -> np.dtype:
    """The NumPy dtype of an input that is not a string.

    Raises:
        BadInput: NumPy has no such dtype.
    """
    try:
        if spec.dtype == "bfloat16":
            import ml_dtypes

            return np.dtype(ml_dtypes.bfloat16)
        return np.dtype(spec.dtype)
    except TypeError:
        raise BadInput(f"input {spec.name!r} has the unknown dtype {spec.dtype!r}") from None


def cast(spec: TensorSpec, array: np.ndarray, where: str) -> np.ndarray:
    """`array` in the dtype of `spec`.

    Floats are rounded to the input's float format; integers and booleans may feed a float input; floats may feed an
    integer input where every one is an integer in its range.

    Raises:
        BadInput: the values do not fit.
    """
    if array.dtype.kind == "O":
        raise BadInput("holds Python objects, not numbers", where=where, hint="save it with one numeric dtype")
    if is_string(spec):
        return _strings(spec, array, where)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise BadInput(f"has dtype {array.dtype}; input {spec.name!r} takes {spec.dtype}", where=where)
    wanted = of(spec)
    return _integral(spec, array, wanted, where) if wanted.kind in "biu" else _floating(spec, array, wanted, where)


def _strings(spec: TensorSpec, array: np.ndarray, where: str) -> np.ndarray:
    if array.dtype.kind not in "US":
        raise BadInput(f"has dtype {array.dtype}; input {spec.name!r} takes strings", where=where)
    return array


def _floating(spec: TensorSpec, array: np.ndarray, wanted: np.dtype, where: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(wanted)
    if np.any(np.isfinite(array) & ~np.isfinite(cast)):
        raise BadInput(f"has values beyond {spec.dtype}, which input {spec.name!r} takes", where=where)
    return cast


def _integral(spec: TensorSpec, array: np.ndarray, wanted: np.dtype, where: str) -> np.ndarray:
    if array.dtype.kind not in "biu" and not np.all(np.isfinite(array) & (array == np.trunc(array))):
        hint = "round it yourself if that is what you mean"
        raise BadInput(f"holds fractions; input {spec.name!r} takes {spec.dtype}", where=where, hint=hint)
    lowest, highest = (0, 1) if wanted.kind == "b" else (np.iinfo(wanted).min, np.iinfo(wanted).max)
    # Python integers, since a float64 cannot hold int64's maximum.
    if array.size and not lowest <= int(array.min()) <= int(array.max()) <= highest:
        found = f"{int(array.min())} to {int(array.max())}"
        raise BadInput(f"holds {found}, beyond {spec.dtype}, which input {spec.name!r} takes", where=where)
    return array.astype(wanted)
