"""Errors in words."""

from math import isfinite


def amount(error: float, share: float) -> str:
    """An error, and its share of the bound where there is one."""
    return f"{error:.2g}, where no rounding is allowed" if share == float("inf") else f"{error:.2g}, {times(share)}"


def times(share: float) -> str:
    """An error in units of the bound."""
    if not isfinite(share):
        return "beyond any bound"
    return f"{share:.0%} of the bound" if share < 2 else f"{share:.3g} times the bound"
