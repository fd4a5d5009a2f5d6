"""A rule of a file of accepted findings is asked of every layer that fails, whatever explained the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import refconv
from refconv.frameworks import live
from refconv.result import CheckResult

ENTRY = """
[[accepted]]
model = "two"
layer = "{layer}"
rule = "{rule}"
reason = "known"
expires = 2999-01-01
"""


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A flipped convolution, and then a Dense layer whose bias is doubled."""

    class Flipped(keras.layers.Conv2D):
        def call(self, x: Any) -> Any:
            return keras.ops.conv(x, keras.ops.flip(self.kernel, (0, 1)), padding=self.padding) + self.bias

    class Doubled(keras.layers.Dense):
        def call(self, x: Any) -> Any:
            return keras.ops.matmul(x, self.kernel) + 2 * self.bias

    layers = [
        keras.Input((6, 6, 2)),
        Flipped(3, 3, name="conv"),
        keras.layers.Flatten(),
        Doubled(4, name="dense"),
    ]
    model = keras.Sequential(layers, name="two")
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    Flipped.__name__, Doubled.__name__ = "Conv2D", "Dense"
    Flipped.__module__ = Doubled.__module__ = "keras.layers"
    assert live.framework_of(model)
    return model


def codes(result: CheckResult) -> dict[str, list[str]]:
    return {layer.name: [f.code for f in layer.findings] for layer in result.layers if layer.verdict == "mismatch"}


def accepted(tmp_path: Path, *pairs: tuple[str, str]) -> str:
    path = tmp_path / "accepted.toml"
    path.write_text("".join(ENTRY.format(layer=layer, rule=rule) for layer, rule in pairs))
    return str(path)


def test_both_layers_have_their_rule(wrong: Any, tmp_path: Path) -> None:
    found = codes(refconv.check(wrong))
    assert list(found) == ["conv", "dense"] and found["dense"] == []  # only what explained the first one is asked
    rule = found["conv"][0]
    whole = refconv.check(wrong, accepted=accepted(tmp_path, ("conv", rule), ("dense", "RC302")))
    assert codes(whole)["dense"] == ["RC302"] and whole.verdict == "pass", codes(whole)
    alone = refconv.check(wrong, explain=False, accepted=accepted(tmp_path, ("conv", rule), ("dense", "RC302")))
    assert alone.verdict == "pass"
    assert refconv.check(wrong, accepted=accepted(tmp_path, ("conv", rule), ("dense", "RC301"))).verdict == "fail"
