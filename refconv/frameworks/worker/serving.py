"""Whether this process may serve another job, and what it forgets of the last one."""

import gc
import sys
from typing import Any, Dict

from refconv.frameworks.worker.environment import global_state


def settle() -> None:
    """Have the collector pass over all that is there now and stays: to look through a framework takes 0.2 s."""
    gc.freeze()


def state(framework: Any) -> Dict[str, Any]:
    """What one model must leave to the next as it was."""
    found = global_state(framework)
    objects = framework.keras.utils.get_custom_objects()
    found["custom_objects"] = sorted(map(str, objects))
    sigmoid = getattr(sys.modules.get("qkeras.quantizers"), "_sigmoid", None)
    found["sigmoid"] = getattr(sigmoid, "__name__", "")
    return found


def forget(framework: Any) -> None:
    """Drop the last model, and the graphs and functions that Keras keeps of it."""
    framework.keras.backend.clear_session()
    gc.collect()
