"""Lower precision, end to end on a CPU: right models pass, wrong ones fail, and what was lowered is named.

Real runs of Keras's mixed policies; TF32 and operands in float16 or bfloat16 by rounding them inside the live layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import capture_live, framework
from support.planting import one_percent, set_weight
from support.reduced import PRODUCTS, ROUNDINGS, build, images, round_operands

from refconv import formats
from refconv.frameworks.worker import environment
from refconv.pipeline import Options, verify
from refconv.result import FAILING, CheckResult, LayerResult, Verdict

keras = pytest.importorskip("keras")
tf_keras = pytest.importorskip("tf_keras")

KERAS = {2: tf_keras, 3: keras}
MODES = ("graph", "eager", "xla")
POLICIES = ("mixed_float16", "mixed_bfloat16")


def per_layer(name: str) -> str:
    """Each layer its own policy."""
    cycle = ("mixed_bfloat16", "float32", "mixed_float16")
    return cycle[sum(map(ord, name)) % 3]


def saved(folder: Path, major: int, policy: Any, seed: int) -> Any:
    path = folder / f"model_{seed}{'.keras' if major == 3 else '.h5'}"
    build(KERAS[major], policy, seed).save(path)
    return path


def check(path: Path, model: Any, major: int, mode: str, seed: int, **options: Any) -> CheckResult:
    graph, x = formats.load(path), images(seed)
    trace = capture_live(model, [x], keras=major, mode=mode)
    trace.environment.update(environment.describe(framework(major)))
    return verify(graph, trace, [x], Options(mode=mode, **options))


def load(path: Path, major: int) -> Any:
    return KERAS[major].models.load_model(path, compile=False)


def failing(result: CheckResult) -> dict[str, Verdict]:
    return {layer.name: layer.verdict for layer in result.layers if layer.verdict in FAILING}


# Every policy in every mode, with both Keras majors: what XLA compiles takes seconds, and most of it is slow.
COMPILED = ((2, "mixed_bfloat16"), (3, "per layer"))
MIXED = [
    pytest.param(
        major,
        mode,
        policy,
        seed,
        id=f"{major}-{mode}-{name}-{seed}",
        marks=pytest.mark.slow if seed or (mode == "xla" and (major, name) not in COMPILED) else (),
    )
    for major in KERAS
    for mode in MODES
    for name, policy in {**dict(zip(POLICIES, POLICIES, strict=True)), "per layer": per_layer}.items()
    for seed in range(2)
]


@pytest.mark.parametrize(("major", "mode", "policy", "seed"), MIXED)
def test_no_false_alarm_under_a_mixed_policy(major: int, mode: str, policy: Any, seed: int, tmp_path: Path) -> None:
    path = saved(tmp_path, major, policy, seed)
    result = check(path, load(path, major), major, mode, seed)
    assert failing(result) == {}
    assert result.exit_code == 0, result.plain
    assert result.counts["verified"] == len(result.layers)


def test_the_report_names_what_each_layer_was_declared(tmp_path: Path) -> None:
    path = saved(tmp_path, 3, per_layer, 0)
    found = {layer.name: layer.arithmetic for layer in check(path, load(path, 3), 3, "graph", 0).layers}
    assert found["out"] == "float32"
    assert all(found[name] == per_layer(name) for name in found if name != "out")


FAULTS = {
    "kernel flipped": ("conv", set_weight("conv", 0, lambda w: w[::-1].copy())),
    "bias missing": ("conv", set_weight("conv", 1, np.zeros_like)),
    "one weight by 1%": ("conv", set_weight("conv", 0, one_percent)),
    "epsilon": ("norm", lambda model: setattr(model.get_layer("norm"), "epsilon", 1.5e-3)),
    "depthwise kernel flipped": ("depthwise", set_weight("depthwise", 0, lambda w: w[::-1].copy())),
    "transposed kernel flipped": ("up", set_weight("up", 0, lambda w: w[::-1].copy())),
    # By so much because processors without AVX-512 may sum in bfloat16.
    "logits: weights by a half": ("logits", set_weight("logits", 0, lambda w: w * np.float32(1.5))),
    "pointwise: one weight by 1%": ("pointwise", set_weight("pointwise", 0, one_percent)),
}


@pytest.mark.parametrize("policy", ["float32", *POLICIES])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_under_a_mixed_policy_is_found_and_never_called_degraded(
    fault: str, policy: str, tmp_path: Path
) -> None:
    layer, plant = FAULTS[fault]
    path = saved(tmp_path, 3, policy, 4)
    model = load(path, 3)
    plant(model)
    found = failing(check(path, model, 3, "eager", 4))
    assert list(found) == [layer]
    assert found[layer] is not Verdict.DEGRADED


def reduced(major: int, seed: int, how: str) -> Any:
    """The model of `seed`, its live twin lowered."""
    if how in POLICIES:
        twin = build(KERAS[major], how, seed)
    else:
        twin = build(KERAS[major], "float32", seed)
        if how in ROUNDINGS:
            round_operands(twin, ROUNDINGS[how])
    return twin


CLASSES = {
    "tf32, nearest even": {"operands were rounded to TF32 or float16", "operands were rounded to TF32"},
    "tf32, nearest away": {"operands were rounded to TF32 or float16", "operands were rounded to TF32"},
    "tf32, truncated": {"operands were rounded to TF32"},
    "float16": {"operands were rounded to TF32 or float16", "operands were rounded to float16"},
    "bfloat16": {"operands were rounded to bfloat16"},
    "mixed_float16": {
        "operands and results were rounded to float16",
        "operands, sums and results were rounded to float16",
    },
    "mixed_bfloat16": {
        "operands and results were rounded to bfloat16",
        "operands, sums and results were rounded to bfloat16",
    },
}


def identified(layer: LayerResult, how: str) -> bool:
    return layer.verdict is Verdict.DEGRADED and layer.reason in CLASSES[how]


def count(folder: Path, seeds: range, modes: Sequence[str]) -> tuple[Counter[str], Counter[str], list[str]]:
    """Runs and right names by what was lowered, over the layers that multiply; and what went wrong."""
    runs: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in seeds:
        for major in KERAS:
            path, mode = saved(folder, major, "float32", seed), modes[(seed + major) % len(modes)]
            for how in ("full", *CLASSES):
                result = check(path, reduced(major, seed, how), major, mode, seed)
                for layer in result.layers:
                    if how == "full":
                        good = layer.verdict not in FAILING
                    elif layer.name in PRODUCTS:
                        good = identified(layer, how)
                    else:  # may be exact; if it is named, then rightly
                        good = layer.verdict not in FAILING or identified(layer, how)
                    runs[how] += 1
                    right[how] += good
                    if not good:
                        wrong.append(f"{how}, Keras {major}, {mode}, {layer.name}: {layer.verdict} {layer.reason}")
    return runs, right, wrong


def test_the_right_arithmetic_is_named_and_never_in_full_precision(tmp_path: Path) -> None:
    runs, right, wrong = count(tmp_path, range(1), ("graph", "eager"))
    print(dict(runs))
    assert wrong == []
    assert right == runs


@pytest.mark.slow
def test_the_same_over_many_seeds(tmp_path: Path) -> None:
    runs, right, wrong = count(tmp_path, range(1, 7), MODES)
    print({how: f"{right[how]} of {runs[how]}" for how in runs})
    assert wrong == []


def test_an_allowed_arithmetic_passes_and_another_does_not(tmp_path: Path) -> None:
    path = saved(tmp_path, 3, "float32", 7)
    twin = reduced(3, 7, "tf32, truncated")
    allowed = check(path, twin, 3, "graph", 7, arithmetic="tf32")
    assert failing(allowed) == {}
    assert {layer.arithmetic for layer in allowed.layers} == {"tf32"}
    refused = check(path, twin, 3, "graph", 7, arithmetic="bfloat16")
    assert set(failing(refused).values()) == {Verdict.DEGRADED}
    assert set(failing(refused)) == set(PRODUCTS)
    assert refused.exit_code == 1


def test_operands_that_a_lower_format_holds_explain_nothing(tmp_path: Path) -> None:
    """Small integers are the same in TF32: a wrong kernel of integers on integers is a mismatch."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3, name="conv")])
    rng = np.random.default_rng(0)
    model.set_weights([rng.integers(-4, 5, w.shape).astype(np.float32) for w in model.weights])
    model.save(tmp_path / "model.keras")
    set_weight("conv", 0, lambda w: w[::-1].copy())(model)
    x = rng.integers(-4, 5, (2, 6, 6, 2)).astype(np.float32)
    trace = capture_live(model, [x], keras=3)
    (conv,) = verify(formats.load(tmp_path / "model.keras"), trace, [x], Options()).layers
    assert (conv.verdict, conv.reason) == (Verdict.MISMATCH, "")


def test_weights_alone_in_float16_are_no_lower_arithmetic(tmp_path: Path) -> None:
    path = saved(tmp_path, 3, "float32", 5)
    model = load(path, 3)
    set_weight("conv", 0, lambda w: w.astype(np.float16).astype(np.float32))(model)
    found = failing(check(path, model, 3, "graph", 5))
    assert list(found) == ["conv"]
    assert found["conv"] is not Verdict.DEGRADED
