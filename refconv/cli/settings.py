"""`[tool.refconv]` of pyproject.toml: defaults for the options of a command, under the options' long names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from refconv.errors import BadInput

FILE, TABLE = "pyproject.toml", "tool.refconv"
# Whoever works in a folder has not trusted what stands in it: no file there may have code run, or a file replaced.
TYPED = ("trust-code", "reference", "python", "json", "junit", "html")
KINDS: Mapping[type, str] = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Settings:
    """What the table says; `path` is None where there is none."""

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def find(start: Path | None = None) -> Settings:
    """The table of the nearest pyproject.toml that has one, from `start` (the current folder) upwards.

    Raises:
        BadInput: a file cannot be read, is no TOML, or what it has under that name is no table.
    """
    start = (start or Path.cwd()).absolute()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file() and (table := _table(folder / FILE)) is not None:
            return Settings(folder / FILE, table)
    return Settings()


def _table(path: Path) -> Mapping[str, Any] | None:
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        tool = tomllib.loads(text).get("tool", {}) if "refconv" in text else {}
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"no TOML: {error}", where=str(path)) from None
    found = tool.get("refconv") if isinstance(tool, dict) else None
    if found is not None and not isinstance(found, dict):
        raise BadInput("is no table", where=f"{path}: [{TABLE}]")
    return found


def defaults(found: Settings, command: click.Command) -> dict[str, Any]:
    """The settings by the names of the command's parameters, as `click.Context.default_map` takes them.

    Paths are those of the file's own folder.

    Raises:
        BadInput: the command has no such option, or the value is of another type; names file and key.
    """
    options = {long_name(option): option for option in command.params if isinstance(option, click.Option)}
    return dict(_read(found, options))


def long_name(option: click.Option) -> str:
    """ "--fail-fast" → "fail-fast"."""
    return max(option.opts, key=len).removeprefix("--")


def _read(found: Settings, options: Mapping[str, click.Option]) -> Iterator[tuple[str, Any]]:
    for key, value in found.values.items():
        where = f"{found.path}: [{TABLE}] {key}"
        if (option := options.get(key)) is None or option.name is None:
            near = difflib.get_close_matches(key, options, 1)
            raise BadInput("is no option", where=where, hint=", ".join(near or set(options) - set(TYPED)))
        if key in TYPED:
            raise BadInput("runs code or writes a file, which only the command line may ask for", where=where)
        assert found.path is not None
        yield option.name, _value(option, value, where, found.path.parent)


def _value(option: click.Option, value: Any, where: str, folder: Path) -> Any:
    several = option.multiple
    items = value if several and isinstance(value, list) else [value]
    _demand_kind(option, items, where)
    if _is_path(option):
        items = [_within(folder, item) for item in items]
    try:
        for item in items:
            option.type.convert(item, option, None)
    except click.BadParameter as error:
        raise BadInput(error.message.rstrip("."), where=where) from None
    return items if several else items[0]


def _demand_kind(option: click.Option, items: Sequence[Any], where: str) -> None:
    kind = _kind(option)
    for item in items:
        fits = type(item) is kind or (kind is float and type(item) is int) or (_is_size(option) and type(item) is int)
        if not fits:
            several = ", or a list of them" if option.multiple else ""
            raise BadInput(f"{item!r} is not {KINDS[kind]}{several}", where=where)


def _kind(option: click.Option) -> type:
    if option.is_flag:
        return bool
    kinds = ((click.types.IntParamType, int), (click.types.FloatParamType, float))
    return next((kind for known, kind in kinds if isinstance(option.type, known)), str)


def _is_size(option: click.Option) -> bool:
    return option.type.name == "size"


def _is_path(option: click.Option) -> bool:
    return str(option.metavar or "").removeprefix("[NAME=]").startswith("FILE")


def _within(folder: Path, item: str) -> str:
    """The path, which a name and "=" may precede, as one of the folder's."""
    name, equals, path = item.rpartition("=")
    return name + equals + os.path.join(folder, path)
