"""Options of the form [NAME=]VALUE, the command line that gave them, and what they are to the pipeline."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from refconv.errors import BadInput

if TYPE_CHECKING:
    from refconv.inputs import Source
    from refconv.pipeline import Options

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class Size(click.ParamType):
    """Bytes: "8GB" → 8,000,000,000, "512 MiB" → 536,870,912."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", str(value).lower())
        if found is None or found[2] not in UNITS:
            self.fail(f"{value!r} is no size, such as 8GB or 512MiB", param, ctx)
        return int(float(found[1]) * UNITS[found[2]])


SIZE = Size()


class Device(click.ParamType):
    """auto, cpu, gpu or gpu:N."""

    name = "device"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[auto|cpu|gpu[:N]]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"auto|cpu|gpu(:\d+)?", str(value)):
            self.fail(f"{value!r} is none of auto, cpu, gpu and gpu:N", param, ctx)
        return str(value)


DEVICE = Device()


def shapes(given: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """["32,32", "tokens=16"] → {"": (32, 32), "tokens": (16,)}.

    Raises:
        BadInput: a size is no positive integer, or two shapes have one name.
    """
    found: dict[str, tuple[int, ...]] = {}
    for text in given:
        name, _, sizes = text.rpartition("=")
        if name in found:
            raise BadInput(f"two shapes for {f'input {name!r}' if name else 'every input'}", where="--shape")
        found[name] = tuple(_size(size, text) for size in sizes.split(","))
    return found


def _size(size: str, text: str) -> int:
    if not (size.strip().isdecimal() and int(size) > 0):
        raise BadInput(f"{text!r} is no shape", where="--shape", hint="[NAME=]H,W or [NAME=]H,W,C, without the batch")
    return int(size)


def inputs(given: Sequence[str], first: int | None) -> dict[str, Source] | list[Source] | None:
    """["x.npy"] → [Source], ["a=x.npy", "b=y.npy"] → {name: Source}; None where nothing is given.

    Raises:
        BadInput: some have names and some not, or two have the same.
    """
    from refconv.inputs import Source

    if not given:
        return None
    pairs = [_named(text) for text in given]
    if not any(name for name, _ in pairs):
        return [Source(path, first) for _, path in pairs]
    found: dict[str, Source] = {}
    for name, path in pairs:
        if not name:
            raise BadInput(f"{path} has no name", where="--input", hint="NAME=FILE for every input, or for none")
        if name in found:
            raise BadInput(f"two files for input {name!r}", where="--input")
        found[name] = Source(path, first)
    return found


def _named(text: str) -> tuple[str, str]:
    """Name and path; a file whose own name holds "=" is found as it stands."""
    name, equals, path = text.partition("=")
    return ("", text) if not equals or os.path.exists(text) else (name, path)


def options(given: Mapping[str, Any], **more: Any) -> Options:
    """The pipeline's options from a command's parameters that bear their names; `more`: those that do not."""
    from refconv.pipeline import Options

    names = {field.name for field in fields(Options)} & given.keys()
    same = {name: "" if given[name] is None else given[name] for name in names}
    return Options(**{**same, "shapes": shapes(given["shapes"]), **more})


def first(ctx: click.Context) -> int | None:
    """How many samples of a file to take: all, unless the user says."""
    said = ctx.get_parameter_source("samples") is not ParameterSource.DEFAULT
    return ctx.params["samples"] if said else None


SAID = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
SHOWING = ("json_file", "junit_file", "html_file", "quiet", "verbose", "no_progress")  # they change no result


def command_line(ctx: click.Context) -> str:
    """What was typed, or pyproject.toml says, quoted for a shell, without what only says what is shown and where."""
    words = ["refconv", ctx.info_name or ""]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) in SAID and name not in SHOWING:
            words += _words(parameter, ctx.params[name])
    return shlex.join(words)


def from_settings(ctx: click.Context) -> str:
    """ "samples = 4, lenient = True": what pyproject.toml said and the command line did not; "" if nothing."""
    from refconv.cli.settings import long_name

    options = [p for p in ctx.command.params if isinstance(p, click.Option) and p.name]
    said = [p for p in options if ctx.get_parameter_source(str(p.name)) is ParameterSource.DEFAULT_MAP]
    return ", ".join(f"{long_name(p)} = {_shown(ctx.params[str(p.name)])}" for p in said)


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _words(parameter: click.Parameter, value: Any) -> Iterator[str]:
    option = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else ""
    if isinstance(parameter, click.Option) and parameter.is_flag:
        yield option
        return
    for one in value if isinstance(value, tuple) else (value,):
        yield from filter(None, (option, str(one)))
