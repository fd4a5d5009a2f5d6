"""What is not run, whatever a file says."""

from __future__ import annotations

from refconv.errors import UnreadableModel
from refconv.formats.source import Source
from refconv.graph import Graph


def refuse(source: Source, *, trusted: bool = False) -> None:
    """What no framework is started for.

    Raises:
        UnreadableModel: see `refuse_unreadable` and `refuse_code`.
    """
    refuse_unreadable(source)
    refuse_code(source, trusted=trusted)


def refuse_unreadable(source: Source) -> None:
    """What no framework can read any more.

    Raises:
        UnreadableModel: a file of Keras 1.
    """
    if source.dialect == "keras1":
        raise UnreadableModel(
            f"written by Keras {source.keras_version or '1'}, which no framework reads any more",
            where=source.path,
            hint="--rebuild lets Keras 2 run what refconv writes from it, --no-framework runs the reference alone",
        )


def refuse_code(source: Source | Graph, *, trusted: bool = False) -> None:
    """Before a framework is started for the file. What stands in the file itself, nobody has trusted.

    Args:
        trusted: the user named files with the classes that are not Keras's; the worker demands that they are there.

    Raises:
        UnreadableModel: the file holds code, or needs code that was not named.
    """
    for stranger in source.strangers:
        if stranger.inside or not trusted:
            where = ": ".join(filter(None, (source.path, stranger.where)))
            raise UnreadableModel(stranger.what, where=where, hint=stranger.hint)
