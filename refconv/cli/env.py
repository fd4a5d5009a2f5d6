"""refconv env."""

from __future__ import annotations

import json
from typing import Any

import click

from refconv.cli.errors import Command


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Tracebacks of errors.")
def command(as_json: bool, verbose: bool) -> None:
    """Tell which frameworks and devices can be used here, in which versions, and why not.

    Example: refconv env
    """
    from refconv.frameworks import probe

    found = probe()
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    for name, answer in found.items():
        click.echo(f"{name}: {_line(answer)}")


def _line(answer: dict[str, Any]) -> str:
    from refconv.report import summary

    return summary.environment(answer["environment"]) if answer["usable"] else f"not usable: {answer['reason']}"
