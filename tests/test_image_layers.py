"""One model of each Keras with the layers that resize, stretch and look up: sound from either file, and with faults.

What the laws of `ops` cannot show: files are read, layers inside others found, and calls told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES, capture_live
from support.planting import one_percent, set_weight

from refconv import formats
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

X = np.random.default_rng(2).gamma(2.0, 30.0, size=(2, 14, 17, 3)).astype(np.float32)
TOKENS = np.array([[0, 3, 2, 3], [1, 1, 4, 0]], dtype=np.int32)
WAVE = np.random.default_rng(3).normal(size=(2, 40, 1)).astype(np.float32)
BAD = (Verdict.MISMATCH, Verdict.SUSPECT)


def resized(major: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Every way of resizing that the layers of one version have: name, class and arguments."""
    methods = ["nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"]
    methods += ["gaussian", "mitchellcubic"] if major == 2 else []
    size = {"height": 9, "width": 20}
    found = [(f"to_{m}", "Resizing", {**size, "interpolation": m}) for m in methods]
    found += [(f"up_{m}", "UpSampling2D", {"size": (2, 3), "interpolation": m}) for m in methods]
    found += [("cropped", "Resizing", {**size, "interpolation": "bicubic", "crop_to_aspect_ratio": True})]
    if major == 3:
        filled = {"interpolation": "lanczos3", "pad_to_aspect_ratio": True, "fill_value": 7.0}
        found += [("filled", "Resizing", {**size, **filled})]
        size = {"height": 9, "width": 10}
        found += [(f"smooth_{m}", "Resizing", {**size, "interpolation": m, "antialias": True}) for m in methods]
    return found


def images(major: int) -> Any:
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    start = layers.Input(X.shape[1:])
    outputs = [getattr(layers, kind)(name=name, **config)(start) for name, kind, config in resized(major)]
    if major == 3:
        stretched = layers.AutoContrast(name="contrast")(start)
        local = layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(3, 4), name="local")(start)
        parts = [layers.Rescaling(1 / 255), layers.RandomFlip(), layers.Resizing(6, 6, interpolation="bicubic")]
        outputs += [local, layers.RMSNormalization(name="rms")(layers.Pipeline(parts, name="pipeline")(stretched))]
    return keras.Model(start, outputs)


def others() -> Any:
    """Keras 3's: a table used both ways, tied and apart, and a spectrogram."""
    import keras

    layers = keras.layers
    tokens, wave = layers.Input((4,), dtype="int32"), layers.Input(WAVE.shape[1:])
    tied = layers.ReversibleEmbedding(5, 6, mask_zero=True, name="tied")
    apart = layers.ReversibleEmbedding(5, 6, tie_weights=False, logit_soft_cap=2.0, name="apart")
    outputs = [layer(layers.Rescaling(0.5)(layer(tokens)), reverse=True) for layer in (tied, apart)]
    outputs.append(layers.STFTSpectrogram(mode="log", frame_length=16, frame_step=5, name="log")(wave))
    outputs.append(layers.STFTSpectrogram(mode="stft", frame_length=8, padding="same", name="both")(wave))
    return keras.Model([tokens, wave], outputs)


def judged(model: Any, path: Path, inputs: list[np.ndarray], major: int, mode: str = "graph") -> CheckResult:
    trace = capture_live(model, inputs, keras=major, mode=mode)
    return verify(formats.load(path), trace, inputs, Options(), seeded=True)


@pytest.mark.parametrize(("major", "end"), [(2, "keras"), (2, "h5"), (3, "keras"), (3, "h5")])
def test_images_pass_from_either_file(major: int, end: str, tmp_path: Path) -> None:
    model, path = images(major), tmp_path / f"model.{end}"
    model.save(path)
    result = judged(model, path, [X], major)
    said = [(layer.name, layer.verdict.value, layer.reason) for layer in result.layers]
    assert result.verdict == "pass", said
    assert not any(layer.verdict is Verdict.UNVERIFIED for layer in result.layers), said


@pytest.mark.parametrize("end", ["keras", "h5"])
def test_tables_and_spectrograms_pass_from_either_file(end: str, tmp_path: Path) -> None:
    model, path = others(), tmp_path / f"model.{end}"
    model.save(path)
    result = judged(model, path, [TOKENS, WAVE], 3)
    said = [(layer.name, layer.verdict.value, layer.reason) for layer in result.layers]
    assert result.verdict == "pass", said
    assert not any(layer.verdict is Verdict.UNVERIFIED for layer in result.layers), said


def attribute(layer: str, name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model.get_layer(layer), name, value)


def scale_inside(model: Any) -> None:
    model.get_layer("pipeline").layers[0].scale = 1 / 254


IMAGE_FAULTS = {
    "to_bicubic": attribute("to_bicubic", "interpolation", "lanczos3"),
    "up_lanczos5": attribute("up_lanczos5", "interpolation", "lanczos3"),
    "smooth_bilinear": attribute("smooth_bilinear", "antialias", False),
    "to_area": attribute("to_area", "interpolation", "bilinear"),
    "filled": attribute("filled", "fill_value", 7.1),
    "contrast": attribute("contrast", "value_range", [0, 254]),
    "local": attribute("local", "clip_limit", 3.9),
    "pipeline": scale_inside,
    "rms": attribute("rms", "epsilon", 1e-3),
}


def test_exactly_the_faulty_layers_fail(tmp_path: Path) -> None:
    """All at once: each layer is judged on what it was given."""
    model, path = images(3), tmp_path / "model.keras"
    model.save(path)
    for plant in IMAGE_FAULTS.values():
        plant(model)
    result = judged(model, path, [X], 3, "eager")
    assert {layer.name for layer in result.layers if layer.verdict in BAD} == set(IMAGE_FAULTS)


OTHER_FAULTS = [
    set_weight("tied", 0, one_percent),
    set_weight("apart", 1, one_percent),
    set_weight("log", 1, lambda w: w * np.float32(1.0001)),
    set_weight("both", 1, one_percent),
]


def test_exactly_the_faulty_tables_and_spectrograms_fail(tmp_path: Path) -> None:
    """A tied table is wrong both ways, the kernel of one that is not in reverse alone."""
    model, path = others(), tmp_path / "model.keras"
    model.save(path)
    for plant in OTHER_FAULTS:
        plant(model)
    result = judged(model, path, [TOKENS, WAVE], 3, "eager")
    assert {layer.name for layer in result.layers if layer.verdict in BAD} == {
        "tied",
        "tied#1",
        "apart#1",
        "log",
        "both",
    }
