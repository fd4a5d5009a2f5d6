"""One row per quantizer that a file may name."""

from __future__ import annotations

from dataclasses import dataclass

from refconv.quantizers.base import Quantizer
from refconv.quantizers.bernoulli import Bernoulli
from refconv.quantizers.binary import Binary
from refconv.quantizers.helpers import BinarySigmoid, BinaryTanh, HardSigmoid, HardTanh, SmoothSigmoid, SmoothTanh
from refconv.quantizers.quantized_bits import QuantizedBits
from refconv.quantizers.quantized_hswish import QuantizedHswish
from refconv.quantizers.quantized_linear import QuantizedLinear
from refconv.quantizers.quantized_po2 import QuantizedPo2
from refconv.quantizers.quantized_relu import QuantizedRelu
from refconv.quantizers.quantized_relu_po2 import QuantizedReluPo2
from refconv.quantizers.quantized_sigmoid import QuantizedSigmoid
from refconv.quantizers.quantized_tanh import QuantizedTanh
from refconv.quantizers.quantized_ulaw import QuantizedUlaw
from refconv.quantizers.stochastic_binary import StochasticBinary
from refconv.quantizers.stochastic_ternary import StochasticTernary
from refconv.quantizers.ternary import Ternary


@dataclass(frozen=True)
class Row:
    """One quantizer.

    Attributes:
        quantizer: its class; `quantizer.name` is QKeras's name.
        lost_on_save: parameters that change values and that QKeras's `get_config` leaves out: a loaded model has their
            defaults, whatever the saved one had (TRAPS 1).
        released: False where QKeras 0.9.0 as released has no such quantizer, so that only the reference knows it.
        note: what else is wrong with it in QKeras 0.9.0.
    """

    quantizer: type[Quantizer]
    lost_on_save: tuple[str, ...] = ()
    released: bool = True
    note: str = ""


STRAIGHT = ("use_ste",)

ROWS = (
    Row(QuantizedBits, lost_on_save=("scale_axis", *STRAIGHT), note="integer < 0 fails"),
    Row(QuantizedRelu, lost_on_save=("is_quantized_clip", *STRAIGHT), note="integer < 0 fails"),
    Row(QuantizedLinear, lost_on_save=("scale_axis",), released=False),
    Row(QuantizedTanh),
    Row(QuantizedSigmoid),
    Row(QuantizedUlaw),
    Row(
        QuantizedHswish,
        lost_on_save=("scale_axis", *STRAIGHT),
        note="get_config writes keep_negative, which it does not take: a saved one reloads from no file",
    ),
    Row(QuantizedPo2, lost_on_save=STRAIGHT),
    Row(QuantizedReluPo2, lost_on_save=STRAIGHT),
    Row(Binary),
    Row(Ternary),
    Row(StochasticBinary),
    Row(StochasticTernary),
    Row(Bernoulli, lost_on_save=("temperature", "use_real_sigmoid")),
    *(Row(helper) for helper in (HardSigmoid, SmoothSigmoid, BinarySigmoid, HardTanh, SmoothTanh, BinaryTanh)),
)

TABLE: dict[str, Row] = {row.quantizer.name: row for row in ROWS}
