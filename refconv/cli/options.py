"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Any], Any]


def preprocess(text: str) -> Decorator:
    choices = click.Choice(["none", "unit", "caffe", "tf", "torch"])
    return click.option("--preprocess", type=choices, default="none", show_default=True, help=text)


def keras(text: str) -> Decorator:
    return click.option("--keras", type=click.Choice(["auto", "2", "3"]), default="auto", show_default=True, help=text)


engine = click.option(
    "--engine",
    type=click.Choice(["numba", "numpy"]),
    default="numba",
    show_default=True,
    help="What computes the reference.",
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where the framework runs.",
)
timeout = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the framework may take.",
)
