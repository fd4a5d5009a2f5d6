"""What is not run, whatever a file says."""

from __future__ import annotations

from refconv.errors import UnreadableModel
from refconv.formats.dialects import qkeras
from refconv.graph import Graph, Node
from refconv.ops.registered import REGISTERED
from refconv.ops.table import TABLE
from refconv.ops.uncovered import UNCOVERED

# Classes that Keras writes into files and exports nowhere: calls of TensorFlow, losses and metrics made layers.
INTERNAL = (
    "AddLoss",
    "AddMetric",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
)

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


def refuse_code(graph: Graph, *, trusted: bool = False) -> None:
    """Before a framework is started with the file. A Lambda's code stands in the file itself: nobody trusted that.

    Args:
        trusted: the user named files with the classes that are not Keras's.

    Raises:
        UnreadableModel: a layer holds code, or needs code that was not named.
    """
    for node in graph.nodes:
        where = f"{graph.path}: layer {node.name}"
        if node.origin.class_name.split(">")[-1] == "Lambda":
            raise UnreadableModel(
                "a Lambda layer holds code from the file, which refconv does not run",
                where=where,
                hint=AROUND,
            )
        if not trusted and is_foreign(node):
            what = f"{node.origin.class_name} is no class of Keras: its code is not in the file"
            raise UnreadableModel(what, where=where, hint="name the file that has it with --trust-code FILE.py")


def is_foreign(node: Node) -> bool:
    """Whether only a user's own code has the class."""
    bare = node.origin.class_name.rpartition(">")[2]
    ours = node.type == "InputLayer" or node.type in UNCOVERED or ".ops." in node.type or bare in INTERNAL
    known = node.type in TABLE and node.type not in REGISTERED
    return not (ours or known or qkeras.owns(bare))
