"""What is not run, whatever a file says."""

from __future__ import annotations

from refconv.errors import UnreadableModel
from refconv.graph import Graph


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
                hint="save the model with the Lambda replaced by a layer",
            )
