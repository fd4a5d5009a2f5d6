"""Attention of every kind under 16-bit policies: verified beside both Kerases, and seen to fail."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES, capture_live
from support.live import framework as live

from refconv import formats
from refconv.frameworks.worker import environment
from refconv.graph import Graph
from refconv.pipeline import Options, verify
from refconv.result import CheckResult, Verdict

RNG = np.random.default_rng(4)
X = RNG.normal(size=(3, 7, 8)).astype(np.float32)
TOKENS = RNG.integers(1, 9, (3, 7)).astype(np.int32)
TOKENS[0, 4:] = 0
TOKENS[1, :2] = 0  # padded in front: under a causal mask the first queries see no key
BAD = (Verdict.MISMATCH, Verdict.SUSPECT)
pytestmark = pytest.mark.filterwarnings("ignore:.*does not support masking")  # Keras 3, of layers inside layers
BOTH = pytest.mark.parametrize("major", PACKAGES)
POLICIES = pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])


def build(major: int, policy: str) -> Any:
    keras = import_module(PACKAGES[major])
    layers = keras.layers
    values, tokens = layers.Input(X.shape[1:], name="values"), layers.Input((7,), name="tokens", dtype="int32")
    x, one, other = (layers.Embedding(9, 8, mask_zero=True)(tokens) for _ in range(3))  # in float32: readers round
    y = [
        layers.MultiHeadAttention(2, 5, dtype=policy, name="heads")(values, values),
        layers.MultiHeadAttention(2, 5, dropout=0.1, dtype=policy, name="apart")(values, one),
        layers.MultiHeadAttention(2, 5, dtype=policy, name="self")(other, other, use_causal_mask=True),
        layers.Attention(use_scale=True, dtype=policy, name="attention")([values, x]),
        layers.Attention(dtype=policy, name="causal")([x, x], use_causal_mask=True),
        layers.Attention(use_scale=True, score_mode="concat", dtype=policy, name="concat")([values, x]),
        layers.AdditiveAttention(dtype=policy, name="additive")([values, x]),
    ]
    if major == 3:
        y.append(layers.GroupQueryAttention(3, 4, 2, use_gate=True, dtype=policy, name="groups")(values, x))
    model = keras.Model([values, tokens], y)
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


class Made:
    """Models and the graphs of their files, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, dict[tuple[int, str], tuple[Any, Graph]]()

    def of(self, major: int, policy: str) -> tuple[Any, Graph]:
        if (major, policy) not in self._made:
            model, path = build(major, policy), self._folder / f"{policy}{major}.keras"
            model.save(path)
            self._made[major, policy] = model, formats.load(path)
        return self._made[major, policy]

    def checked(self, major: int, policy: str, mode: str) -> CheckResult:
        model, graph = self.of(major, policy)
        trace = capture_live(model, [X, TOKENS], keras=major, mode=mode)
        trace.environment.update(environment.describe(live(major)))
        return verify(graph, trace, [X, TOKENS], Options(mode=mode))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("half"))


@BOTH
@POLICIES
@pytest.mark.parametrize("mode", ["graph", "eager", pytest.param("xla", marks=pytest.mark.slow)])
def test_attention_in_16_bits_is_verified(major: int, policy: str, mode: str, made: Made) -> None:
    result = made.checked(major, policy, mode)
    said = [(layer.name, layer.verdict.value, layer.reason, layer.worst) for layer in result.layers]
    assert result.verdict == "pass", said
    assert not any(layer.verdict is Verdict.UNVERIFIED for layer in result.layers), said


def scaled(index: int, factor: float) -> Callable[[Any], None]:
    def plant(layer: Any) -> None:
        weights = layer.get_weights()
        weights[index] = weights[index] * np.float32(factor)
        layer.set_weights(weights)

    return plant


def uncaused(layer: Any) -> None:
    call = layer.call
    vars(layer)["call"] = lambda *a, use_causal_mask=False, **k: call(*a, **k)


FAULTS: dict[str, Callable[[Any], None]] = {
    "heads": scaled(4, 1.1),  # the value's kernel
    "apart": scaled(0, 2),  # the query's
    "self": uncaused,
    "causal": uncaused,
    "attention": scaled(0, 2),
    "concat": scaled(1, 4),
    "additive": scaled(0, 4),
}

# Where the processor has no AVX-512, TensorFlow may sum in bfloat16, and small faults lie within what that may do.
LARGER = {"heads": scaled(4, 8), "apart": scaled(0, 64), "concat": scaled(1, 8)}


@BOTH
@POLICIES
def test_faults_in_16_bits_are_found(major: int, policy: str, made: Made) -> None:
    """All at once: no layer stands behind another."""
    model, _ = made.of(major, policy)
    weights = model.get_weights()
    try:
        for name, plant in (FAULTS | (LARGER if policy == "mixed_bfloat16" else {})).items():
            plant(model.get_layer(name))
        result = made.checked(major, policy, "eager")
    finally:
        model.set_weights(weights)
        for name in FAULTS:
            vars(model.get_layer(name)).pop("call", None)
    assert {layer.name for layer in result.layers if layer.verdict in BAD} == set(FAULTS)
