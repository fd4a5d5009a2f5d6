"""What the pages are made from: templates in which everything is escaped but what this package itself writes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from refconv.report.text import error, printable, share, size

TEMPLATES = ("check.html.j2", "pictures.html.j2")


def part(name: str) -> str:
    """The text of a file that pages are made from."""
    return (files("refconv.report") / "page" / name).read_text(encoding="utf-8")


def page(template: str, **context: Any) -> str:
    """The page as HTML. A name that the template has and the context has not is an error."""
    text = _environment().get_template(template).render(**context)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({name: part(name) for name in TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "error": error, "share": share, "size": size, "lines": _lines}
    return environment


def _lines(value: Any) -> str:
    """Text of several lines (code, a command), each of them made printable."""
    return "\n".join(map(printable, str(value).splitlines()))
