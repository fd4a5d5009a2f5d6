"""The strings that name a quantizer: `binary`, `quantized_relu(6,1,1)`, `quantized_bits(4,0,alpha='auto')`.

    string   = name [ "(" [ argument { "," argument } ] ")" ]
    argument = [ name "=" ] literal
    literal  = number | "True" | "False" | quoted text

Nothing is evaluated. QKeras's own reader knows no None (it makes the text "on" of it) and no lists.
"""

from __future__ import annotations

import re
from typing import Any

_STRING = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\((.*)\)\s*)?", re.DOTALL)
_ARGUMENT = re.compile(
    r"""\s*(?:([A-Za-z_]\w*)\s*=)?\s*
        (?:([+-]?\d+(?![\w.]))|([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(True|False)(?!\w)|'([^'"(),=]*)'|"([^'"(),=]*)")
        \s*(,|$)""",
    re.VERBOSE,
)
LIMIT = 1000  # characters; QKeras writes fewer than 200


def parse(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Name, positional and named arguments.

    Raises:
        ValueError: not of this grammar.
    """
    found = _STRING.fullmatch(text) if len(text) <= LIMIT else None
    if found is None:
        raise ValueError("not a quantizer's name with literal arguments")
    name, inside = found.groups()
    given, named = _arguments((inside or "").strip())
    return name, given, named


def _arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    given: list[Any] = []
    named: dict[str, Any] = {}
    position, more = 0, bool(text)
    while more:
        found = _ARGUMENT.match(text, position)
        if found is None:
            raise ValueError(f"cannot read the arguments from {text[position : position + 40]!r} on")
        name, value = found.group(1), _literal(found)
        if name is None and named:
            raise ValueError("a positional argument follows a named one")
        if name in named:
            raise ValueError(f"argument {name!r} is given twice")
        if name is None:
            given.append(value)
        else:
            named[name] = value
        position, more = found.end(), found.group(7) == ","
    return given, named


def _literal(found: re.Match[str]) -> Any:
    whole, real, truth, single, double = found.groups()[1:6]
    if whole is not None:
        return int(whole)
    if real is not None:
        return float(real)
    if truth is not None:
        return truth == "True"
    return single if single is not None else double
