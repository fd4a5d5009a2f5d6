"""Pictures as one page that needs nothing else: each is in it twice, for light and for dark."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from refconv import __version__
from refconv.inventory.pictures import Picture
from refconv.report import plots, templates

TYPES = {"png": "image/png", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Drawn:
    """A picture as the page holds it."""

    title: str
    alt: str
    light: str
    dark: str


def draw(picture: Picture, kind: str) -> Drawn:
    """The picture in both schemes, as data URLs."""
    parts = (*picture.panels, *picture.charts)
    said = "; ".join(", ".join(filter(None, (part.label, part.note))) for part in parts)
    light, dark = (_url(plots.render(picture, kind, dark=dark), kind) for dark in (False, True))
    return Drawn(picture.title, f"{picture.title}: {said}", light, dark)


def render(title: str, drawn: Sequence[Drawn]) -> str:
    style = Markup(templates.part("style.css"))
    return templates.page("pictures.html.j2", title=title, drawn=drawn, style=style, version=__version__)


def _url(data: bytes, kind: str) -> str:
    return f"data:{TYPES[kind]};base64,{b64encode(data).decode()}"
