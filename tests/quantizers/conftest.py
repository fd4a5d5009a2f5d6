"""QKeras in a process of its own: this one may have imported TensorFlow with Keras 3 already."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


class QKeras:
    """Asks evaluate.py; `quantize` gives values, `scale` what the last call found."""

    def __init__(self, process, folder):
        self.process, self.folder, self.scale = process, folder, None

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the process that runs QKeras died"
        return json.loads(line)

    def quantize(self, x, **request):
        source, target = self.folder / "x.npy", str(self.folder / "y.npy")
        np.save(source, np.asarray(x, np.float32))
        answer = self.ask(input=str(source), output=target, **request)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        self.scale = np.load(answer["scale"]) if "scale" in answer else None
        return np.load(target)


@pytest.fixture(scope="session")
def qkeras(tmp_path_factory):
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("evaluate.py"))]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    yield QKeras(process, tmp_path_factory.mktemp("qkeras"))
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()
