"""QKeras's recurrent layers: the float layer's cell on effective weights, with every state quantized before a step.

QLSTMCell takes its quantizers as QKeras's other layers do: alpha=None of both kernels becomes "auto_po2", and bias and
state keep theirs. Activations that QKeras knows are QKeras's own: its hard_sigmoid is clip(x/2 + 1/2, 0, 1).
QSimpleRNN and QGRU of the released version cannot run (they use names that TensorFlow removed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from refconv.ops import recurrent
from refconv.ops.activations import Activation, quantized_activation
from refconv.ops.attributes import Unknown, attribute
from refconv.ops.base import Row
from refconv.ops.qkeras_layers import stored
from refconv.ops.recurrent import SIGMOID, gates
from refconv.ops.slots import quantizers, with_slots

KERNELS, PLAIN = ("kernel_quantizer", "recurrent_quantizer"), ("bias_quantizer", "state_quantizer")


class Steady:
    """Raises Unknown where a quantizer draws: at every step anew, so that no effective weight could be recorded."""

    def __post_init__(self) -> None:
        if drawn := [name for name, quantizer in quantizers(self).items() if quantizer.random]:
            raise Unknown(f"{drawn[0]} is drawn anew at every step")


def _attributes(base: type) -> type:
    slots: Any = with_slots(base, KERNELS, PLAIN)

    @dataclass(frozen=True, kw_only=True)
    class Quantized(Steady, slots):
        pass

    if not issubclass(base, recurrent.LSTM):
        return Quantized

    @dataclass(frozen=True, kw_only=True)
    class Gated(Quantized):
        recurrent_activation: Activation = attribute(gates(quantized_activation), default=SIGMOID)

    return Gated


def _row(row: Row) -> Row:
    keras = f"Q{row.keras}"
    slots = stored(kernel=KERNELS[0], recurrent_kernel=KERNELS[1], bias=PLAIN[0])
    return replace(
        row, keras=keras, attributes=_attributes(row.attributes), slots=slots, source=f"qkeras 0.9.0, {keras}"
    )


ROWS = tuple(_row(row) for row in recurrent.ROWS)
