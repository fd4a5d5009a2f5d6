"""What is not run, whatever a file says."""

from __future__ import annotations

from dataclasses import replace

from refconv.errors import UnreadableModel
from refconv.graph import Graph, Node

AROUND = "--no-framework runs the reference around it, --rebuild the framework too"


def holds_code(node: Node) -> bool:
    """Whether a layer brings code of its own with it."""
    return node.origin.class_name.split(">")[-1] == "Lambda"


def is_refused(graph: Graph, node: Node) -> bool:
    """Whether it is because of this layer that `refuse_code` refuses the graph."""
    try:
        refuse_code(replace(graph, nodes=(node,)))
    except UnreadableModel:
        return True
    return False


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
        if holds_code(node):
            raise UnreadableModel(
                "a Lambda layer holds code from the file, which refconv does not run",
                where=f"{graph.path}: layer {node.name}",
                hint=AROUND,
            )
