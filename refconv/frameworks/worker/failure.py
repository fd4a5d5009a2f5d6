"""What the parent is told when something failed: facts in one line, for it to word."""

from typing import Any, Dict

from refconv.frameworks.worker.capture import LayerFailure
from refconv.frameworks.worker.loading import NoDevice


def explain(error: Exception) -> Dict[str, Any]:
    """The fields of an error frame.

    `reason` is import, device, layer or other; `what` one line; `layer` and `missing` name the layer that
    failed and the module that is missing ("" otherwise).
    """
    fields = {"reason": "other", "what": first_line(error), "layer": "", "missing": ""}
    if isinstance(error, LayerFailure):
        fields.update(reason="layer", layer=error.layer, what=first_line(error.cause))
    elif isinstance(error, ImportError):
        fields.update(reason="import", missing=error.name or "")
    elif isinstance(error, NoDevice):
        fields.update(reason="device")
    return fields


def first_line(error: Exception) -> str:
    """Class and first line of the message, shortened; Keras's own frame around a layer's message left out."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception encountered when calling", "Graph execution error"))]
    text = (told or lines or [""])[0]
    return "{}: {}".format(type(error).__name__, text[:300]).rstrip(": ")
