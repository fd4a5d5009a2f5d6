"""What the parent is told when something failed: facts in one line, for it to word."""

import re
from typing import Any, Dict

from refconv.frameworks.worker.backends import NoDevice
from refconv.frameworks.worker.capture import LayerFailure
from refconv.frameworks.worker.code import BadCode

LONGEST = 300  # characters of a message that a line still shows


def explain(error: Exception) -> Dict[str, Any]:
    """The fields of an error frame.

    `reason` is import, device, layer, code or other; `what` one line; `layer` and `missing` name the layer that
    failed and the module that is missing, `hint` says what to do ("" otherwise).
    """
    fields = {"reason": "other", "what": first_line(error), "layer": "", "missing": "", "hint": ""}
    if isinstance(error, LayerFailure):
        fields.update(reason="layer", layer=error.layer, what=first_line(error.cause))
    elif isinstance(error, ImportError):
        fields.update(reason="import", what=str(error), missing=error.name or "")
    elif isinstance(error, NoDevice):
        fields.update(reason="device", what=str(error), hint=error.hint)
    elif isinstance(error, BadCode):
        fields.update(reason="code", what=str(error))
    return fields


# What frameworks put around the sentence that says what is wrong.
_NOISE = ("Exception encountered when calling", "Graph execution error", "Detected at node", "File ", "<stack traces")
_MARKS = re.compile(r"\x1b\[[0-9;]*m|\{\{[^{}]*\}\}|\[Op:[^\]]*\](?: name:?.*)?")


def first_line(error: Exception) -> str:
    """Class and first telling line of the message, shortened, without the framework's own frames around it."""
    lines = [_MARKS.sub("", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOISE)]
    return "{}: {}".format(type(error).__name__, (told or [""])[0][:LONGEST]).rstrip(": ")
