"""What runs in the child process: started with the Keras version, given the job as one line on stdin.

Arguments: major version of Keras, bytes of memory that this process may take (0 for all), the folder that is its own.
"""

import os
import sys
import traceback
from typing import Any

from refconv.frameworks.worker import alone
from refconv.frameworks.worker.channel import claim_stdout, listen
from refconv.frameworks.worker.failure import explain, first_line
from refconv.frameworks.worker.limits import limit
from refconv.frameworks.worker.loading import import_framework
from refconv.frameworks.worker.work import probe, work
from refconv.job import Job


def main() -> int:
    """Import the framework while the parent prepares the job, then do the job; 0 if it was done.

    Started by a person instead, with words, it does what those say (alone.py).
    """
    if not sys.argv[1:] or not sys.argv[1].isdigit():
        return alone.main(sys.argv[1:])
    keras, memory, folder = [*sys.argv[1:], "0", ""][:3]
    limit(int(memory))
    channel = claim_stdout()
    lines = listen(folder)
    framework = _attempt(int(keras), os.environ.get("KERAS_BACKEND") or "tensorflow")
    line = lines.get()
    try:
        if line.startswith("probe"):
            probe(framework, channel)
        else:
            work(_demand(framework), Job.from_json(line), channel)
    except Exception as error:  # whatever it is, the parent is told
        traceback.print_exc()
        channel.send("error", **explain(error))
        return 1
    channel.send("done")
    return 0


def _attempt(keras: int, backend: str) -> Any:
    """The framework, or the ImportError that says why there is none: a broken installation may raise anything."""
    try:
        return import_framework(keras, backend)
    except ImportError as error:
        return error
    except Exception as error:
        traceback.print_exc()
        return ImportError(first_line(error))


def _demand(framework: Any) -> Any:
    if isinstance(framework, Exception):
        raise framework
    return framework


if __name__ == "__main__":
    sys.exit(main())
