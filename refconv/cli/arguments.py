"""Options of the form [NAME=]VALUE, and the command line that gave them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from refconv.errors import BadInput

if TYPE_CHECKING:
    from refconv.inputs import Source


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


SHOWING = ("json_file", "junit_file", "html_file", "quiet", "verbose", "no_progress")  # they change no result


def command_line(ctx: click.Context) -> str:
    """What was typed, quoted for a shell, without the options that say only what is shown and written where."""
    words = ["refconv", ctx.info_name or ""]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and name not in SHOWING:
            words += _words(parameter, ctx.params[name])
    return shlex.join(words)


def _words(parameter: click.Parameter, value: Any) -> Iterator[str]:
    option = max(parameter.opts, key=len) if isinstance(parameter, click.Option) else ""
    if isinstance(parameter, click.Option) and parameter.is_flag:
        yield option
        return
    for one in value if isinstance(value, tuple) else (value,):
        yield from filter(None, (option, str(one)))
