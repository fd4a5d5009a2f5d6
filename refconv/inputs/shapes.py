"""Unknown dimensions of a model's inputs: from the user, or stated defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refconv.errors import BadInput
from refconv.graph import TensorSpec

Shape = tuple[int | None, ...]

SEQUENCE, PLANE, VOLUME, CHANNELS = 16, 32, 16, 3
EVERY_INPUT = ""  # the key of a shape given without a name

CHANNEL_COUNTS = (1, 3, 4)


def refine(specs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]]) -> list[TensorSpec]:
    """The inputs with their unknown dimensions taken from `shapes` (name → shape without the batch).

    A shape has either all dimensions of the input or only the unknown ones, in order. The name "" stands for every
    input that has unknown dimensions.

    Raises:
        BadInput: no input has that name, or the shape does not fit it.
    """
    names = [spec.name for spec in specs]
    for name in shapes:
        if name not in (EVERY_INPUT, *names):
            raise BadInput(f"no input is called {name!r}", where="--shape", hint="the inputs are " + ", ".join(names))
    return [_refined(spec, shapes, alone=len(specs) == 1) for spec in specs]


def _refined(spec: TensorSpec, shapes: Mapping[str, tuple[int, ...]], *, alone: bool) -> TensorSpec:
    if spec.name in shapes:
        return _fill(spec, shapes[spec.name])
    if EVERY_INPUT in shapes and (alone or None in spec.shape[1:]):
        return _fill(spec, shapes[EVERY_INPUT])
    return spec


def _fill(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    known = spec.shape[1:]
    if len(shape) == known.count(None):
        rest = iter(shape)
        shape = tuple(next(rest) if size is None else size for size in known)
    fits = len(shape) == len(known) and all(k in (None, s) for s, k in zip(shape, known, strict=True))
    if not fits or any(size < 1 for size in shape):
        wanted = f"the model takes {text(known)} after the batch"
        raise BadInput(f"{text(shape)} does not fit input {spec.name!r}", where="--shape", hint=wanted)
    return replace(spec, shape=(spec.shape[0], *shape))


def assume(spec: TensorSpec) -> TensorSpec:
    """The input with each unknown dimension but the batch set to its default.

    16 for a sequence, 32 × 32 for an image, 16 × 16 × 16 for a volume, and 3 for an image's unknown channels.
    """
    known = spec.shape[1:]
    size = {3: PLANE, 4: VOLUME}.get(len(known), SEQUENCE)
    filled = [size if d is None else d for d in known]
    if len(known) >= 3 and known[-1] is None and known[0] not in CHANNEL_COUNTS:
        filled[-1] = CHANNELS
    return replace(spec, shape=(spec.shape[0], *filled))


def text(shape: Shape) -> str:
    """(None, 28, 28, 1) → "(?, 28, 28, 1)"."""
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"
