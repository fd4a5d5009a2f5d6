"""What refconv.testing needs: neither pytest nor Hypothesis, until strategies are asked for."""

from __future__ import annotations

import subprocess
import sys

REFUSED = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("hypothesis", "pytest"):
            raise ImportError(f"{name} is refused here")

sys.meta_path.insert(0, Refuse())
import refconv.testing
from refconv.errors import RefconvError
try:
    import refconv.testing.strategies
except RefconvError as error:
    print(error)
"""


def test_strategies_name_the_extra_where_hypothesis_is_missing() -> None:
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("Hypothesis is not installed (pip install 'refconv[testing]')\n", "")


def test_strategies_import_no_framework() -> None:
    code = "import sys, refconv.testing.strategies, refconv.testing.defects; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"keras", "pytest", "tensorflow", "tf_keras"} & set(done.stdout.split())
