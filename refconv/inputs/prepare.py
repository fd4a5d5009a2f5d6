"""The arrays that a model is fed, one per input, in the model's order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refconv.errors import BadInput
from refconv.graph import TensorSpec
from refconv.inputs import dtypes
from refconv.inputs.draw import draw
from refconv.inputs.files import read
from refconv.inputs.images import channel_axis
from refconv.inputs.preprocess import preprocess as apply
from refconv.inputs.shapes import assume, refine, text
from refconv.inputs.source import Source

Given = Mapping[str, Any] | Sequence[Any] | np.ndarray | str | os.PathLike[str] | Source | None
NO_RANGES: Mapping[str, int] = {}


def prepare(
    specs: Sequence[TensorSpec],
    given: Given,
    samples: int,
    seed: int,
    shapes: Mapping[str, tuple[int, ...]],
    preprocess: str,
    ranges: Mapping[str, int] = NO_RANGES,
) -> list[np.ndarray]:
    """Check what is given, or draw samples.

    Args:
        specs: the model's inputs.
        given: None to draw; one array or file for a model with one input; else a sequence in the model's order, or a
            mapping by input name. A value is an array, a path, or a `Source`.
        samples: how many samples to draw; a fixed batch of the model goes before it.
        seed: of the samples drawn.
        shapes: unknown dimensions by input name, see `shapes.refine`.
        preprocess: one of `preprocess.MODES`, for what is given as pixels in 0…255.
        ranges: input name → number of integers it may hold.

    Raises:
        BadInput: something given does not fit the model.
    """
    specs = refine(specs, shapes)
    if given is None:
        if preprocess != "none":
            raise BadInput("--preprocess is for pixels, and samples are drawn", hint="give images with --input")
        return _drawn(specs, samples, seed, ranges)
    values = _in_order(specs, given)
    arrays = [
        _given(spec, value, preprocess if _pixels(spec, specs) else "none")
        for spec, value in zip(specs, values, strict=True)
    ]
    _same_batch(specs, arrays)
    return arrays


def _drawn(specs: Sequence[TensorSpec], samples: int, seed: int, ranges: Mapping[str, int]) -> list[np.ndarray]:
    fixed = {spec.shape[0] for spec in specs} - {None}
    if samples < 1:
        raise BadInput(f"{samples} samples cannot be checked", where="--samples", hint="at least 1")
    batch = max((size for size in fixed if size is not None), default=samples)
    return [
        # A generator of its own for each input, so that one input's shape does not change the others' values.
        draw(assume(spec), spec.shape[0] or batch, np.random.default_rng([seed, number]), ranges.get(spec.name))
        for number, spec in enumerate(specs)
    ]


def _in_order(specs: Sequence[TensorSpec], given: Given) -> list[Any]:
    """What is given for each input, in the model's order."""
    names = [spec.name for spec in specs]
    if isinstance(given, Mapping):
        return _by_name(names, given)
    values = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(values) != len(names):
        what = f"inputs given: {len(values)}, of the model: {len(names)}"
        raise BadInput(what, where="input", hint="the inputs are " + ", ".join(names))
    return values


def _by_name(names: list[str], given: Mapping[str, Any]) -> list[Any]:
    hint = "the inputs are " + ", ".join(names)
    for name in given:
        if name not in names:
            raise BadInput(f"no input is called {name!r}", where="input", hint=hint)
    for name in names:
        if name not in given:
            raise BadInput(f"nothing is given for input {name!r}", where="input", hint=hint)
    return [given[name] for name in names]


def _pixels(spec: TensorSpec, specs: Sequence[TensorSpec]) -> bool:
    """Whether --preprocess is meant for this input: images, and whatever a model's only input is."""
    return len(specs) == 1 or len(spec.shape) == 4


def _given(spec: TensorSpec, value: Any, mode: str) -> np.ndarray:
    if isinstance(value, (str, os.PathLike)):
        value = Source(os.fspath(value))
    where = value.path if isinstance(value, Source) else f"input {spec.name!r}"
    array = read(value, spec) if isinstance(value, Source) else _array(value, where)
    _check_shape(spec, array, where)
    if mode != "none":
        array = apply(_numeric(array, where), mode, channel_axis=channel_axis(spec.shape) or -1, where=where)
    return dtypes.cast(spec, array, where)


def _array(value: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise BadInput(f"is not an array: {error}", where=where) from None


def _numeric(array: np.ndarray, where: str) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise BadInput(f"has dtype {array.dtype}, which holds no pixels", where=where)
    return array


def _check_shape(spec: TensorSpec, array: np.ndarray, where: str) -> None:
    wanted, found = spec.shape, array.shape
    what = f"has shape {text(found)}; input {spec.name!r} takes {text(wanted)}"
    if len(found) != len(wanted):
        raise BadInput(what, where=where, hint=_rank_hint(wanted, found))
    if not array.size:
        raise BadInput(f"is empty, of shape {text(found)}", where=where)
    if any(size not in (None, f) for f, size in zip(found[1:], wanted[1:], strict=True)):
        raise BadInput(what, where=where)
    if wanted[0] not in (None, found[0]):
        raise BadInput(what, where=where, hint=f"this model takes batches of exactly {wanted[0]}")


def _rank_hint(wanted: tuple[int | None, ...], found: tuple[int, ...]) -> str:
    def fits(shape: tuple[int | None, ...]) -> bool:
        return len(shape) == len(found) and all(w in (None, f) for w, f in zip(shape, found, strict=True))

    if fits(wanted[1:]):
        return "add the batch axis: x[None]"
    if wanted[-1] == 1 and fits(wanted[:-1]):
        return "add the channel axis: x[..., None]"
    return ""


def _same_batch(specs: Sequence[TensorSpec], arrays: Sequence[np.ndarray]) -> None:
    if len({len(array) for array in arrays}) > 1:
        found = ", ".join(f"{spec.name} {len(array)}" for spec, array in zip(specs, arrays, strict=True))
        raise BadInput(f"the inputs hold different numbers of samples: {found}", where="input")
