"""explain(): the cases that people have, from the file to the finding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.models import model_path, needs_models

import refconv
from refconv.errors import BadInput, UnreadableModel
from refconv.pipeline import Options
from refconv.pipeline.target import one_layer, target
from refconv.reference.forward import forward, weights_of
from refconv.report import explanation as report
from refconv.report import pixel as pixel_report
from refconv.result import Explanation, Verdict

SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
QKERAS, KERAS, DIGITS = (str(SAMPLES / name) for name in ("digits_qkeras.h5", "digits.keras", "digits.npy"))


def by_hand(kind: str) -> np.ndarray:
    """The first 3×3 patch of the first sample, as people compute it."""
    conv = refconv.weights(QKERAS)["conv"]
    patch = np.load(DIGITS)[0, 0:3, 0:3, :]
    kernel, bias = getattr(conv.kernel, kind), getattr(conv.bias, kind)
    return (patch[..., None] * kernel).sum((0, 1, 2)) + bias


def altered(path: str, layer: str, x: object, **weights: float) -> np.ndarray:
    """The layer's output with weights multiplied by numbers, on the reference's own values of the layers before."""
    found = target(path, layer, x, (), Options())
    own = dict(weights_of(found.node).applied)
    own |= {name: own[name] * np.float32(factor) for name, factor in weights.items()}
    return forward(found.node, own, found.inputs, found.context)[0].mid.astype(np.float32)


def told(found: Explanation) -> list[str]:
    return [finding.code for finding in found.findings]


def test_the_original_case() -> None:
    """A QKeras layer computed with get_weights(): the weights of the file, which the layer never multiplies by."""
    found = refconv.explain(QKERAS, "conv", by_hand("stored"), DIGITS, at="1,1", sample=0)
    assert told(found) == ["RC101"] and found.exit_code == 1 and found.verdict is Verdict.MISMATCH
    assert found.findings[0].line == f"kernel = refconv.weights({QKERAS!r})['conv'].kernel.effective"
    assert found.findings[0].after is not None and found.findings[0].after < 1
    namespace: dict[str, object] = {"refconv": refconv}
    exec(found.findings[0].line, namespace)  # what the finding says to do is right
    pixel = refconv.pixel(QKERAS, "conv", "1,1,0", DIGITS, framework=False)
    np.testing.assert_array_equal(pixel.by_hand.kernel, namespace["kernel"][..., 0])  # type: ignore[index]
    assert pixel.by_hand.value == by_hand("effective")[0]
    assert pixel_report.with_stored(pixel.by_hand) == pytest.approx(by_hand("stored")[0], rel=1e-6)


def test_what_is_right_agrees() -> None:
    found = refconv.explain(QKERAS, "conv", by_hand("effective"), DIGITS, at="1,1", sample=0)
    assert found.agrees and not found.findings and found.exit_code == 0
    assert "AGREES" in report.render(found)


@pytest.mark.parametrize("form", ["numpy", "%.4f", "%.6e"])
def test_printed_digits_are_enough(form: str, tmp_path: Path) -> None:
    values, file = by_hand("stored"), tmp_path / "mine.txt"
    file.write_text(str(values) if form == "numpy" else " ".join(form % v for v in values))
    found = refconv.explain(QKERAS, "conv", file, DIGITS, at="1,1", sample=0)
    assert told(found)[0] == "RC101" and "known to" in found.observed
    right = by_hand("effective")
    file.write_text(str(right) if form == "numpy" else " ".join(form % v for v in right))
    assert refconv.explain(QKERAS, "conv", file, DIGITS, at="1,1", sample=0).agrees


def test_integer_codes(tmp_path: Path) -> None:
    """Sums of a quantized layer on a grid of 1/128: a device's integers."""
    codes = np.rint(by_hand("effective") * 128).astype(int)
    file = tmp_path / "sim.hex"
    file.write_text("\n".join(f"0x{code & 0xFFFF:04x}" for code in codes))
    same = {"at": "1,1", "sample": 0, "codes": True, "bits": 16}
    assert refconv.explain(QKERAS, "conv", file, DIGITS, scale=1 / 128, **same).agrees
    assert not refconv.explain(QKERAS, "conv", file, DIGITS, scale=1 / 64, seconds=0.0, **same).agrees


def test_a_layer_behind_others_allows_for_their_rounding() -> None:
    wrong = altered(KERAS, "conv_strided", DIGITS, bias=0.0)
    found = refconv.explain(KERAS, "conv_strided", wrong, DIGITS)
    assert told(found)[0] == "RC301" and any("layers before" in note for note in found.notes)
    right = altered(KERAS, "conv_strided", DIGITS)
    assert refconv.explain(KERAS, "conv_strided", right, DIGITS).agrees


def test_the_layers_own_input() -> None:
    inputs = target(KERAS, "conv_strided", DIGITS, (), Options()).inputs[0].astype(np.float32)
    node = one_layer(refconv.load(KERAS), "conv_strided")
    from refconv.ops.base import Context
    from refconv.primitives import engines

    unbiased = {name: w * (name != "bias") for name, w in weights_of(node).applied.items()}
    wrong = forward(node, unbiased, (inputs,), Context(engines.get("numpy")))[0].mid.astype(np.float32)
    found = refconv.explain(KERAS, "conv_strided", wrong, layer_input=[inputs])
    assert told(found) == ["RC301"] and not found.notes
    channel = refconv.explain(KERAS, "conv_strided", wrong[..., 3], layer_input=[inputs], channel=3)
    assert told(channel)[0] == "RC301"


def test_weights_of_another_checkpoint(tmp_path: Path) -> None:
    """`--also`: stale weights are named by their file."""
    import h5py

    stale = tmp_path / "stale.h5"
    stale.write_bytes(Path(SAMPLES / "digits.h5").read_bytes())
    with h5py.File(stale, "r+") as file:
        kernels: list[h5py.Dataset] = []
        file["model_weights/conv"].visititems(
            lambda name, item: kernels.append(item) if isinstance(item, h5py.Dataset) and item.ndim == 4 else None
        )
        kernels[0][...] = np.random.default_rng(0).normal(size=kernels[0].shape)
    wrong = altered(str(stale), "conv", DIGITS)
    found = refconv.explain(SAMPLES / "digits.h5", "conv", wrong, DIGITS, also=[stale])
    assert told(found)[0] == "RC314" and "stale.h5" in found.findings[0].title


def test_what_nothing_explains_is_told_so() -> None:
    noise = np.random.default_rng(0).normal(size=(4, 8, 8, 8)).astype(np.float32)
    found = refconv.explain(QKERAS, "conv", noise, DIGITS, seconds=0.0)
    assert told(found) == ["RC901"] and found.exit_code == 1 and not found.explained


def test_what_there_was_no_time_for_is_told() -> None:
    """Inputs of the model that are pixels: others are tried behind the first layer, each by the layers before."""
    x = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1)).astype(np.float32)
    wrong = altered(KERAS, "conv_strided", x / np.float32(255))
    assert told(refconv.explain(KERAS, "conv_strided", wrong, x, seconds=600.0)) == ["RC501"]
    found = refconv.explain(KERAS, "conv_strided", wrong, x, seconds=0.0)
    assert told(found) == ["RC901"] and "no time to try" in found.notes[-1]


@pytest.mark.parametrize(
    ("layer", "more", "said"),
    [
        ("con", {}, "near are conv"),
        ("conv", {"at": "9,9"}, "outside"),
        ("conv", {"at": "1,1", "sample": 4}, "outside"),
        ("conv", {"codes": True}, "--scale"),
        ("conv", {"scale": 0.5}, "--codes"),
        ("conv", {}, "--at"),
    ],
)
def test_what_cannot_be_asked(layer: str, more: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        refconv.explain(QKERAS, layer, np.zeros(8), DIGITS, **more)  # type: ignore[arg-type]


def test_a_layer_without_a_reference_cannot_be_told() -> None:
    path = model_path("float/mnist_densenet.h5")
    graph = refconv.load(path)
    unknown = next(node for node in graph.nodes if node.attrs is None and node.index not in graph.inputs)
    with pytest.raises(UnreadableModel, match="--layer-input"):
        behind = next(n for n in graph.nodes if any(ref.node == unknown.index for ref in n.inputs))
        refconv.explain(path, behind.name, np.zeros((2, 2)))
    found = refconv.explain(path, unknown.name, np.zeros((1, 2)), layer_input=[np.zeros((1, 2))])
    assert found.exit_code == 3 and found.reason and "cannot be told" in report.render(found)


def test_the_report_in_both_forms() -> None:
    found = refconv.explain(QKERAS, "conv", by_hand("stored"), DIGITS, at="1,1", sample=0)
    text = report.render(found, 80)
    assert "RC101  stored instead of effective weights" in text and "refconv explain" in text
    document = json.loads(report.as_json(found))
    assert document["findings"][0]["code"] == "RC101" and document["exit_code"] == 1
    assert document["findings"][0]["command"].endswith("--output … --at 1,1 --sample 0")


def test_the_command_that_shows_it_again(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("1 2 3")
    found = refconv.explain(
        QKERAS,
        "conv",
        tmp_path / "mine.txt",
        {"image": DIGITS},
        at="0:3,0",
        channel=1,
        sample=0,
        codes=True,
        scale=0.5,
        seconds=0.0,
    )
    assert found.findings[-1].command == (
        f"refconv explain {QKERAS} conv --codes --input image={DIGITS} --output {tmp_path}/mine.txt "
        "--at 0:3,0 --channel 1 --sample 0 --scale 0.5"
    )


@needs_models
def test_images_divided_by_255_where_256_was_meant() -> None:
    """rn07's authors recorded logits of images/256, and wrote images/255."""
    with np.load(model_path("known_answers/rn07/vectors.npz")) as vectors:
        images, logits = vectors["images"], vectors["keras_logits"]
    path = model_path("known_answers/rn07/model.h5")
    found = refconv.explain(path, "q_dense", logits, images.astype(np.float32) / np.float32(255))
    assert told(found) == ["RC501"] and "pixels/256" in found.findings[0].title
    assert refconv.explain(path, "q_dense", logits, images.astype(np.float32) / np.float32(256)).agrees


@needs_models
def test_a_kernel_that_theano_wrote_turned() -> None:
    """As tf-keras computes it: with the kernel as the file holds it."""
    path = model_path("legacy/lenet5_theano_keras2.h5")
    x = np.random.default_rng(0).uniform(size=(1, 1, 28, 28)).astype(np.float32)
    found = target(path, "conv2d_1", x, (), Options())
    weights = dict(weights_of(found.node).applied)
    weights["kernel"] = weights["kernel"][::-1, ::-1]
    wrong = forward(found.node, weights, found.inputs, found.context)[0].mid.astype(np.float32)
    told = refconv.explain(path, "conv2d_1", wrong, x)
    assert told.findings[0].code == "RC203" and "`backend` attribute" in told.findings[0].title
    pixel = refconv.explain(path, "conv2d_1", wrong[0, :, 11, 12], x, at="11,12")
    assert pixel.findings[0].code == "RC203"
