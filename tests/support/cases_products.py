"""Products of tensors, for the laws of `ops/test_laws.py`."""

from __future__ import annotations

from hypothesis import strategies as st
from support.cases_shape import of_rank
from support.laws import Case

LENGTHS = st.integers(1, 5)


@st.composite
def einsum_dense(draw: st.DrawFn) -> Case:
    """Keras's three forms: heads of attention, kernels that share an axis with input and output, sums over two axes."""
    equation, kept, bias = draw(
        st.sampled_from(
            [
                ("ab,bc->ac", "c", ("c", None)),
                ("abc,cde->abde", "bde", ("de", "e", "bd", None)),
                ("abcd,cde->abe", "be", ("e", "be", None)),
                ("abc,bcd->abd", "bd", ("d", "bd", None)),
                ("abc,cd->ad", "d", ("d", None)),
                ("...x,xy->...y", "y", ("y", None)),
                ("...ab,bc->...ca", "ca", ("c", "a", None)),
                ("ab...,bc->ac...", "c", ("c", None)),
            ]
        )
    )
    sizes = {label: draw(LENGTHS) for label in "abcdexy"}
    first = equation.split(",")[0]
    more = tuple(draw(st.lists(LENGTHS, min_size=1, max_size=2))) if "..." in first else ()
    # tf.einsum("ab...,bc->ac...", …) of (5, 5, 5, 1) and (5, 2) writes beyond its memory in TensorFlow 2.21 with oneDNN
    # on AVX-512: the process dies of it, or another layer's values change.
    more = more[:1] if first == "ab..." and more[-1] == 1 else more
    own = tuple(sizes[label] for label in first if label != ".")
    shape = (*more, *own) if first.startswith("...") else (*own, *more)
    config = {
        "equation": equation,
        "output_shape": [sizes[label] for label in kept],
        "bias_axes": draw(st.sampled_from(bias)),
    }
    return Case({**config, "activation": draw(st.sampled_from(["linear", "relu", "sigmoid"]))}, (shape,))


@st.composite
def dot(draw: st.DrawFn) -> Case:
    """Any axis of either tensor but the batch, counted from either end."""
    ranks = [draw(st.integers(2, 4)) for _ in range(2)]
    shapes = [list(draw(of_rank(rank))) for rank in ranks]
    axes = [draw(st.integers(1, rank - 1)) for rank in ranks]
    shapes[1][0], shapes[1][axes[1]] = shapes[0][0], shapes[0][axes[0]]
    config = {"axes": axes, "normalize": draw(st.booleans())}
    if axes[0] == axes[1] and draw(st.booleans()):
        config["axes"] = axes[0]
    return Case(config, tuple(map(tuple, shapes)))


@st.composite
def time_distributed(draw: st.DrawFn) -> Case:
    """Layers with and without weights, an activation, a sum; one that computes in float32 whatever the policy."""
    name, config, rank = draw(
        st.sampled_from(
            [
                ("Dense", {"units": 3, "activation": "relu"}, 3),
                ("Conv2D", {"filters": 2, "kernel_size": [2, 2], "padding": "same"}, 5),
                ("BatchNormalization", {"axis": -1}, 4),
                ("Activation", {"activation": "sigmoid"}, 3),
                ("GlobalAveragePooling2D", {}, 5),
                ("Flatten", {}, 4),
            ]
        )
    )
    held = {
        "module": "keras.layers",
        "class_name": name,
        "config": {"name": "inner", **config},
        "registered_name": None,
    }
    return Case({"layer": held}, (draw(of_rank(rank)),))


@st.composite
def spectrogram(draw: st.DrawFn) -> Case:
    """Every mode but `angle`, frames that overlap or not, transforms longer than a frame."""
    length = draw(st.integers(2, 9))
    config = {
        "mode": draw(st.sampled_from(["log", "magnitude", "psd", "real", "imag", "stft"])),
        "frame_length": length,
        "frame_step": draw(st.none() | st.integers(1, length)),
        "fft_length": draw(st.sampled_from([None, 16])),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "expand_dims": draw(st.booleans()),
    }
    return Case(config, ((draw(LENGTHS), length + draw(st.integers(0, 12)), draw(st.integers(1, 3))),), (3,))


@st.composite
def pipeline(draw: st.DrawFn) -> Case:
    """Up to three layers over an image; none that draws, because a call outside of a model is training by default."""
    shape = draw(of_rank(4))
    parts = (
        ("Rescaling", {"scale": 0.3, "offset": -0.2}),
        ("Resizing", {"height": 3, "width": 5, "interpolation": "bicubic"}),
        ("CenterCrop", {"height": 2, "width": 2}),
        ("ZeroPadding2D", {"padding": [1, 2]}),
        ("Activation", {"activation": "sigmoid"}),
    )
    chosen = draw(st.lists(st.sampled_from(parts), min_size=1, max_size=3))
    held = [
        {
            "module": "keras.layers",
            "class_name": name,
            "config": {"name": f"inner_{i}", **config},
            "registered_name": None,
        }
        for i, (name, config) in enumerate(chosen)
    ]
    return Case({"layers": held}, (shape,), (3,))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "EinsumDense": einsum_dense(),
    "Dot": dot(),
    "TimeDistributed": time_distributed(),
    "Pipeline": pipeline(),
    "STFTSpectrogram": spectrogram(),
}
