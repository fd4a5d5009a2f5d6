"""Layers that move, select or keep elements, for the laws of `ops/test_laws.py`."""

from __future__ import annotations

from math import prod

from hypothesis import strategies as st
from support.laws import Case

FORMATS = st.sampled_from(["channels_last", "channels_first"])
SHAPES = st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple)


def of_rank(rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(1, 5), min_size=rank, max_size=rank).map(tuple)


@st.composite
def flatten(draw: st.DrawFn) -> Case:
    return Case({"data_format": draw(FORMATS)}, (draw(SHAPES),))


@st.composite
def reshape(draw: st.DrawFn) -> Case:
    """The same elements in another order of lengths, one of them perhaps unknown."""
    shape = draw(SHAPES)
    target = draw(st.permutations(shape[1:]))
    if draw(st.booleans()):
        target = [prod(target[:2]), *target[2:]]
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return Case({"target_shape": target}, (shape,))


@st.composite
def permute(draw: st.DrawFn) -> Case:
    shape = draw(SHAPES)
    return Case({"dims": draw(st.permutations(range(1, len(shape))))}, (shape,))


@st.composite
def repeat_vector(draw: st.DrawFn) -> Case:
    return Case({"n": draw(st.integers(1, 5))}, (draw(of_rank(2)),))


@st.composite
def embedding(draw: st.DrawFn) -> Case:
    rows = draw(st.integers(1, 9))
    config = {"input_dim": rows, "output_dim": draw(st.integers(1, 5)), "mask_zero": draw(st.booleans())}
    return Case(config, (draw(of_rank(2)),), integers=rows)


@st.composite
def reversible_embedding(draw: st.DrawFn) -> Case:
    """As it is called without arguments."""
    case = draw(embedding())
    more = {"tie_weights": draw(st.booleans()), "logit_soft_cap": draw(st.sampled_from([None, 5.0]))}
    return Case({**case.config, **more}, case.shapes, (3,), case.integers)


@st.composite
def concatenate(draw: st.DrawFn) -> Case:
    """Shapes that differ along one axis, never the batch."""
    shape = draw(SHAPES)
    axis = draw(st.integers(1, len(shape) - 1))
    lengths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    shapes = tuple((*shape[:axis], n, *shape[axis + 1 :]) for n in lengths)
    return Case({"axis": draw(st.sampled_from([axis, axis - len(shape)]))}, shapes)


def with_rate(rank: int | None = None) -> st.SearchStrategy[Case]:
    shapes = SHAPES if rank is None else of_rank(rank)
    return st.builds(lambda rate, shape: Case({"rate": rate}, (shape,)), st.floats(0.1, 0.9), shapes)


CASES: dict[str, st.SearchStrategy[Case]] = {
    "Flatten": flatten(),
    "Reshape": reshape(),
    "Permute": permute(),
    "RepeatVector": repeat_vector(),
    "Embedding": embedding(),
    "ReversibleEmbedding": reversible_embedding(),
    "Concatenate": concatenate(),
    "Dropout": with_rate(),
    "SpatialDropout1D": with_rate(3),
    "SpatialDropout2D": with_rate(4),
    "SpatialDropout3D": with_rate(5),
    "GaussianDropout": with_rate(),
    "AlphaDropout": with_rate(),
    "GaussianNoise": st.builds(lambda shape: Case({"stddev": 0.5}, (shape,)), SHAPES),
    "ActivityRegularization": st.builds(lambda shape: Case({"l1": 0.1, "l2": 0.2}, (shape,)), SHAPES),
    "Masking": st.builds(
        lambda value, shape: Case({"mask_value": value}, (shape,)), st.sampled_from([0.0, 3.0]), of_rank(3)
    ),
    "Identity": st.builds(lambda shape: Case({}, (shape,)), SHAPES),
}
