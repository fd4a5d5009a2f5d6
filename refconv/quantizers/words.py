"""Plain words that the descriptions of several quantizers share."""

from __future__ import annotations

from refconv.quantizers.parameters import Alpha


def bits(count: int, integer: int | None = None) -> str:
    said = _plural(count, "bit")
    return said if integer is None else f"{said}, {_plural(integer, 'integer bit')}"


def scale(alpha: Alpha, default: str = "") -> str:
    """The scale in words, with the comma before it; `default` where alpha is None."""
    said = {"auto": "scale computed per channel", "auto_po2": "scale per channel a power of two"}
    if alpha is None or alpha == 1:
        return default
    if isinstance(alpha, str):
        return ", " + said[alpha]
    return ", a given scale per channel" if isinstance(alpha, tuple) else f", scale {alpha:g}"


def noise(factor: float) -> str:
    return "" if factor == 1 else f", mixed with {100 * (1 - factor):g} % of the unquantized value"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
