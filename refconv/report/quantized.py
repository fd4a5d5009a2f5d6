"""Which layers are quantized, and how: one line for all layers that are quantized alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refconv.result import QuantizedLayer


def lines(layers: Sequence[QuantizedLayer]) -> Iterator[str]:
    """ "quantized: conv, dense: kernel 4 bits, …; bias 6 bits, …", not yet escaped or broken."""
    alike: dict[str, list[str]] = {}
    for layer in layers:
        words = "; ".join(f"{what} {how}" for what, how in layer.quantizers.items())
        alike.setdefault(words, []).append(layer.name)
    for words, names in alike.items():
        yield f"quantized: {', '.join(names)}: {words}"
