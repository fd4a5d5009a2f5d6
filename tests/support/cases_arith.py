"""Layers that compute element by element, for the laws of `ops/test_laws.py`."""

from __future__ import annotations

from hypothesis import strategies as st
from support.cases_shape import SHAPES
from support.laws import Case

# Where both Keras versions have the function. sparsemax is left out: Keras 3.15 adds up running sums of the support
# (see ops/test_activations.py).
BOTH = ["relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "softplus", "softsign", "sigmoid", "hard_sigmoid",
        "silu", "swish", "tanh", "exponential", "mish", "softmax", "log_softmax", "linear"]  # fmt: skip
KERAS3 = ["celu", "glu", "hard_shrink", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "soft_shrink",
          "sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink"]  # fmt: skip
SLOPES = st.floats(0, 2, width=32)


@st.composite
def activation(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(BOTH + KERAS3))
    shape = draw(SHAPES)
    if name in ("glu", "softmax"):
        shape = (*shape[:-1], 2 * shape[-1])  # Keras warns of a softmax over one element
    return Case({"activation": name}, (shape,), (2, 3) if name in BOTH else (3,))


@st.composite
def relu(draw: st.DrawFn) -> Case:
    config = {"max_value": draw(st.none() | st.just(6.0) | SLOPES)}
    return Case({**config, "negative_slope": draw(SLOPES), "threshold": draw(st.just(0.0) | SLOPES)}, (draw(SHAPES),))


@st.composite
def prelu(draw: st.DrawFn) -> Case:
    shape = draw(SHAPES)
    shared = draw(st.none() | st.lists(st.integers(1, len(shape) - 1), unique=True, min_size=1))
    return Case({"shared_axes": shared}, (shape,))


@st.composite
def softmax(draw: st.DrawFn) -> Case:
    shape = tuple(n + 1 for n in draw(SHAPES))
    axis = st.integers(1, len(shape) - 1)
    axes = st.lists(axis, unique=True, min_size=1)
    return Case({"axis": draw(st.just(-1) | axis | axes)}, (shape,))


@st.composite
def batch_normalization(draw: st.DrawFn) -> Case:
    """Fused kernels of Keras 2 take the channels of an image first or last only."""
    shape = draw(SHAPES)
    axis = draw(st.sampled_from([1, len(shape) - 1, -1]))
    config = {"axis": axis, "epsilon": draw(st.sampled_from([1e-3, 1e-5, 0.1]))}
    return Case({**config, "center": draw(st.booleans()), "scale": draw(st.booleans())}, (shape,))


@st.composite
def layer_normalization(draw: st.DrawFn) -> Case:
    """Keras 2's fused kernel takes axes at the end from an epsilon of 1.001e-5 on; one value has no variance."""
    shape = tuple(n + 1 for n in draw(SHAPES))
    axes = sorted(draw(st.lists(st.integers(1, len(shape) - 1), unique=True, min_size=1)))
    axis = draw(st.sampled_from([-1, len(shape) - 1, axes]))
    config = {"axis": axis, "epsilon": draw(st.sampled_from([1e-3, 1e-6, 0.1]))}
    config |= {"center": draw(st.booleans()), "scale": draw(st.booleans())}
    return Case(config, (shape,))


@st.composite
def group_normalization(draw: st.DrawFn) -> Case:
    groups, shape = draw(st.integers(1, 3)), draw(SHAPES)
    axis = draw(st.sampled_from([-1, len(shape) - 1, 1]))
    at = axis % len(shape)
    shape = (*shape[:at], shape[at] * groups, *shape[at + 1 :])
    groups = draw(st.sampled_from([groups, -1]))
    config = {"groups": groups, "axis": axis, "epsilon": draw(st.sampled_from([1e-3, 1e-5]))}
    return Case({**config, "center": draw(st.booleans()), "scale": draw(st.booleans())}, (shape,))


@st.composite
def unit_normalization(draw: st.DrawFn) -> Case:
    shape = draw(SHAPES)
    axes = st.lists(st.integers(1, len(shape) - 1), unique=True, min_size=1)
    return Case({"axis": draw(st.just(-1) | axes)}, (shape,))


@st.composite
def rms_normalization(draw: st.DrawFn) -> Case:
    """Axes at the end, where Keras 3.15 multiplies by the scale whatever the axis (test_rms_normalization)."""
    shape = draw(SHAPES)
    count = draw(st.integers(1, len(shape) - 1))
    axis = draw(st.sampled_from([-1, len(shape) - 1, list(range(-count, 0))]))
    return Case({"axis": axis, "epsilon": draw(st.sampled_from([1e-6, 1e-3]))}, (shape,), (3,))


@st.composite
def auto_contrast(draw: st.DrawFn) -> Case:
    """Ranges that are mapped to 0…255 and back, and that one."""
    shape = draw(st.lists(st.integers(1, 5), min_size=4, max_size=4).map(tuple))
    limits = draw(st.sampled_from([(0, 255), (0, 1), (-1.0, 1.0), (0.1, 0.7)]))
    return Case({"value_range": limits}, (shape,), (3,), draw(st.none() | st.just(256)))


@st.composite
def local_contrast(draw: st.DrawFn) -> Case:
    """Tiles of every size, some filled up; small integers, of which few bins hold many, and pixels."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(4, 9), st.integers(4, 9), st.integers(1, 3)))
    config = {
        "clip_limit": draw(st.sampled_from([4.0, 40.0, 0.0, 1e9])),
        "tile_grid_size": draw(st.sampled_from([(1, 1), (2, 3), (3, 2), (4, 4)])),
    }
    return Case(config, (shape,), (3,), draw(st.none() | st.just(256)))


@st.composite
def layer_scale(draw: st.DrawFn) -> Case:
    shape = draw(SHAPES)
    return Case({"init_values": 0.5, "projection_dim": shape[-1]}, (shape,), package="applications.convnext")


@st.composite
def custom_scale(draw: st.DrawFn) -> Case:
    shape = draw(SHAPES)
    config = {"scale": draw(st.floats(-2, 2))}
    return Case(config, (shape, shape), package="applications.inception_resnet_v2")


@st.composite
def rescaling(draw: st.DrawFn) -> Case:
    shape = draw(SHAPES)
    value = st.floats(-300, 300, width=32)
    values = value | st.lists(value, min_size=shape[-1], max_size=shape[-1])
    return Case({"scale": draw(values), "offset": draw(values)}, (shape,), integers=draw(st.none() | st.just(256)))


@st.composite
def normalization(draw: st.DrawFn) -> Case:
    """With its own statistics, or with given ones: one for all or one per channel."""
    shape = draw(SHAPES)
    axis = draw(st.none() | st.just(-1) | st.integers(1, len(shape) - 1) | st.just([1, len(shape) - 1]))
    if isinstance(axis, list) and len(set(axis)) == 1:
        axis = axis[0]
    config = {"axis": axis, "invert": draw(st.booleans())}
    if draw(st.booleans()):
        config |= {"mean": draw(st.floats(-9, 9, width=32)), "variance": draw(st.floats(0, 9, width=32))}
    elif isinstance(axis, int) and draw(st.booleans()):
        config |= {"mean": [0.5] * shape[axis], "variance": [2.5] * shape[axis]}
    return Case(config, (shape,))


@st.composite
def merge(draw: st.DrawFn, most: int = 4) -> Case:
    """Equal shapes, or some with axes of length 1, or of fewer axes; none that Keras 3 mistakes for a bias."""
    shape = draw(SHAPES)
    count = draw(st.integers(2, most))
    kinds = [draw(st.sampled_from(["same", "same", "ones", "fewer"])) for _ in range(count - 1)]
    others = {"same": shape, "ones": (shape[0], *(1 for _ in shape[1:])), "fewer": (shape[0], *shape[2:])}
    others = {kind: shape if _like_a_bias(other) else other for kind, other in others.items()}
    return Case({}, (shape, *(others[kind] for kind in kinds)))


def _like_a_bias(shape: tuple[int, ...]) -> bool:
    """One axis longer than 1: Keras 3.15 adds such a tensor along the channels, whatever its axis (test_merging)."""
    return sum(n > 1 for n in shape) == 1


CASES: dict[str, st.SearchStrategy[Case]] = {
    "Activation": activation(),
    "ReLU": relu(),
    "LeakyReLU": st.builds(lambda slope, shape: Case({"negative_slope": slope}, (shape,), (3,)), SLOPES, SHAPES)
    | st.builds(lambda slope, shape: Case({"alpha": slope}, (shape,), (2,)), SLOPES, SHAPES),
    "ELU": st.builds(lambda alpha, shape: Case({"alpha": alpha}, (shape,)), SLOPES, SHAPES),
    "PReLU": prelu(),
    "Softmax": softmax(),
    "BatchNormalization": batch_normalization(),
    "LayerNormalization": layer_normalization(),
    "GroupNormalization": group_normalization(),
    "UnitNormalization": unit_normalization(),
    "RMSNormalization": rms_normalization(),
    "AutoContrast": auto_contrast(),
    "ContrastLimitedAdaptiveHistogramEqualization": local_contrast(),
    "LayerScale": layer_scale(),
    "CustomScaleLayer": custom_scale(),
    "StochasticDepth": st.builds(
        lambda shape: Case({"drop_path_rate": 0.5}, (shape,), package="applications.convnext"), SHAPES
    ),
    "Rescaling": rescaling(),
    "Normalization": normalization(),
    "Add": merge(),
    "Subtract": merge(2),
    "Multiply": merge(),
    "Average": merge(),
    "Maximum": merge(),
    "Minimum": merge(),
}
