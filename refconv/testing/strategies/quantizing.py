"""QKeras's quantizers, and values at which they decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refconv.quantizers.base import LINEAR, Quantizer
from refconv.quantizers.read import read
from refconv.testing.strategies.case import LayerCase

ALPHAS = (None, 1.0, 0.5, "auto", "auto_po2")
STEP = 2.0**-4  # between inputs of quantizers whose own step is not known beforehand


@dataclass(frozen=True)
class QuantizerSpec:
    """A quantizer as QKeras's configurations name it.

    Attributes:
        name: QKeras's.
        parameters: (name, value) of those that are not left to their default.
    """

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """What QKeras reads: quantized_bits(bits=4,alpha='auto')."""
        said = ",".join(f"{name}={value!r}" for name, value in self.parameters)
        return f"{self.name}({said})"

    @property
    def reference(self) -> Quantizer:
        """refconv's own."""
        found = read(self.text)
        assert found is not None
        return found

    def __str__(self) -> str:
        return self.text


Draw = Callable[[st.DrawFn, int, Sequence[Any]], Mapping[str, Any]]


def _fixed(draw: st.DrawFn, max_bits: int) -> dict[str, int]:
    bits = draw(st.integers(1, max_bits))
    return {"bits": bits, "integer": draw(st.integers(0, min(bits, 3)))}


def _alpha(draw: st.DrawFn, alphas: Sequence[Any]) -> dict[str, Any]:
    return {"alpha": draw(st.sampled_from(tuple(alphas)))}


def _bits(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    flags = {"symmetric": draw(st.integers(0, 1)), "keep_negative": draw(st.sampled_from([True, False]))}
    return {**_fixed(draw, max_bits), **flags, **_alpha(draw, alphas)}


def _relu(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    slope = draw(st.sampled_from([0.0, 0.25]))
    return {**_fixed(draw, max_bits), "negative_slope": slope}


def _function(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    return {"bits": draw(st.integers(1, max_bits)), "symmetric": draw(st.integers(0, 1))}


def _power(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    most = draw(st.sampled_from([None, 0.5, 2.0]))
    return {"bits": draw(st.integers(2, max(max_bits, 2))), **({} if most is None else {"max_value": most})}


def _hswish(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    return _fixed(draw, max_bits)


def _binary(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    return _alpha(draw, alphas)


def _ternary(draw: st.DrawFn, max_bits: int, alphas: Sequence[Any]) -> dict[str, Any]:
    """A threshold goes with a scale that is given: QKeras computes both or none, and in a kernel None is computed."""
    found, threshold = _alpha(draw, alphas), draw(st.sampled_from([None, 0.5]))
    return {**found, "threshold": threshold if isinstance(found["alpha"], float) else None}


QUANTIZERS: dict[str, Draw] = {
    "quantized_bits": _bits,
    "quantized_relu": _relu,
    "quantized_tanh": _function,
    "quantized_sigmoid": _function,
    "quantized_po2": _power,
    "quantized_relu_po2": _power,
    "quantized_hswish": _hswish,
    "binary": _binary,
    "ternary": _ternary,
}


@st.composite
def quantizers(
    draw: st.DrawFn,
    names: Sequence[str] = tuple(QUANTIZERS),
    *,
    max_bits: int = 8,
    alphas: Sequence[Any] = ALPHAS,
) -> QuantizerSpec:
    """QKeras's deterministic quantizers, from one bit up.

    Args:
        names: of quantized_bits, quantized_relu, quantized_tanh, quantized_sigmoid, quantized_po2, quantized_relu_po2,
            quantized_hswish, binary, ternary.
        alphas: scales of those that take one: None, numbers, "auto", "auto_po2".

    Left out: stochastic quantizers and bernoulli, which draw; quantized_ulaw; parameters that QKeras does not save.
    """
    name = draw(st.sampled_from(tuple(names)))
    found = QUANTIZERS[name](draw, max_bits, alphas)
    return QuantizerSpec(name, tuple((key, value) for key, value in found.items() if value is not None))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class QuantizerCase(LayerCase):
    """A quantizer applied to a tensor, as QActivation applies it.

    Attributes:
        x: (n, channels); a scale that is computed belongs to a channel.
        spec: the quantizer.
    """

    spec: QuantizerSpec

    @property
    def keras(self) -> str:
        return "QActivation"

    @property
    def config(self) -> dict[str, Any]:
        return {"activation": self.spec.text}

    @property
    def values(self) -> np.ndarray:
        """What comes out, in float32. Beside it a scale or a logarithm may round otherwise: `check` allows for that."""
        return self.spec.reference.quantize(self.x).values


@st.composite
def quantizer_cases(
    draw: st.DrawFn,
    names: Sequence[str] = tuple(QUANTIZERS),
    *,
    max_bits: int = 8,
    alphas: Sequence[Any] = ALPHAS,
    max_values: int = 8,
    max_channels: int = 2,
) -> QuantizerCase:
    """Quantizers on values at which they decide: the grid, half-way between its points, and the floats beside these.

    Drawn are up to twice the steps of the grid on both sides of 0; every value shrinks by itself, to 0.

    Args:
        names, max_bits, alphas: as of `quantizers`.
        max_values: in each of the channels.
    """
    spec = draw(quantizers(names, max_bits=max_bits, alphas=alphas))
    count, channels = draw(st.integers(1, max_values)), draw(st.integers(1, max_channels))
    step, reach = grid(spec.reference)
    places = st.tuples(st.integers(-reach, reach), st.sampled_from([0, 1, -1]))
    drawn = [draw(places) for _ in range(count * channels)]
    values = np.array([halves for halves, _ in drawn], np.float32) * np.float32(step / 2)
    beside = [
        np.nextafter(v, np.float32(side * np.inf)) if side else v for v, (_, side) in zip(values, drawn, strict=True)
    ]
    return QuantizerCase(x=np.array(beside, np.float32).reshape(count, channels), spec=spec)


def grid(quantizer: Quantizer) -> tuple[float, int]:
    """The step between values, STEP where it is none or not fixed, and how many half steps to draw to each side."""
    step = quantizer._step() if quantizer.coding == LINEAR else 0.0
    fixed = np.ndim(step) == 0 and float(step) > 0
    limits = quantizer.codes_range
    reach = 4 * max(abs(limits[0]), abs(limits[1]), 2) if fixed and limits else 64
    return float(step) if fixed else STEP, min(reach, 1024)
