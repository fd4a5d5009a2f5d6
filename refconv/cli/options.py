"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from refconv.cli import arguments

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
    type=arguments.DEVICE,
    default="auto",
    show_default=True,
    help="Where the framework runs.",
)
BACKENDS = click.Choice(["tensorflow", "jax", "torch"])
backend = click.option(
    "--backend", type=BACKENDS, default="tensorflow", show_default=True, help="What Keras runs on; jax and torch for 3."
)
deterministic = click.option(
    "--deterministic", is_flag=True, help="Ask the framework for operations that repeat their bits."
)
repeat = click.option(
    "--repeat",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Run everything N times, and judge also what gives other bits then.",
)
tf32 = click.option(
    "--tf32",
    type=click.Choice(["on", "off"]),
    default=None,
    help="Whether a GPU may round float32 operands to TF32, instead of the framework's own default.",
)
timeout = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the framework may take.",
)
given = click.option(
    "--input",
    "given",
    multiple=True,
    metavar="[NAME=]FILE",
    help=".npy, .npz (FILE:key), .csv(.gz), an image or a folder of images; repeat it for several inputs.",
)
samples = click.option(
    "--samples",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="How many samples to draw, or to take of what --input gives (else all of it).",
)
seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the samples drawn.")
shapes = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="[NAME=]H,W[,C]",
    help="Sizes of the model's unknown dimensions, without the batch.",
)
mode = click.option(
    "--mode",
    type=click.Choice(["graph", "eager", "xla"]),
    default="graph",
    show_default=True,
    help="How the framework runs the model.",
)
architecture = click.option(
    "--architecture",
    metavar="FILE.json",
    help="What model.to_json() gave, where MODEL holds weights alone (*_weights.h5, .weights.h5).",
)
rebuild = click.option(
    "--rebuild",
    is_flag=True,
    help="Let the framework run a file that refconv writes from what it read: for files that no framework reads any "
    "more, and around layers that hold code.",
)
trust_code = click.option(
    "--trust-code",
    "trust_code",
    multiple=True,
    metavar="FILE.py",
    help="Run this file in the framework's process, for layers and models of your own; repeat it for several.",
)
memory = click.option(
    "--memory",
    type=arguments.SIZE,
    default="0",
    metavar="SIZE",
    help="How much memory the framework may take, such as 8GB; else as much as there is.",
)
python = click.option(
    "--python",
    metavar="PATH",
    help="The Python of another environment, in which the framework runs; it needs the framework, NumPy and h5py.",
)
sha256 = click.option("--sha256", metavar="HASH", help="Refuse the file if its SHA-256 is another.")
