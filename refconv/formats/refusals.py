"""What is not run, whatever a file says."""

from __future__ import annotations

from refconv.errors import UnreadableModel
from refconv.graph import Graph

AROUND = "--no-framework runs the reference around it, --rebuild the framework too"


def refuse_unreadable(graph: Graph) -> None:
    """What no framework can read any more.

    Raises:
        UnreadableModel: a file of Keras 1.
    """
    if graph.dialect == "keras1":
        raise UnreadableModel(
            f"written by Keras {graph.keras_version or '1'}, which no framework reads any more",
            where=graph.path,
            hint="--rebuild lets Keras 2 run what refconv writes from it, --no-framework runs the reference alone",
        )


def refuse_code(graph: Graph) -> None:
    """Before a framework is started with the file.

    Raises:
        UnreadableModel: a layer holds code.
    """
    for node in graph.nodes:
        if node.origin.class_name.split(">")[-1] == "Lambda":
            raise UnreadableModel(
                "a Lambda layer holds code from the file, which refconv does not run",
                where=f"{graph.path}: layer {node.name}",
                hint=AROUND,
            )
