"""Write the README's section on performance from what the benchmarks measured.

    python benchmarks/readme.py kernels.json check.json framework.json [--readme README.md]

The files are those of `--json` of benchmarks/kernels.py, check.py and framework.py. The part of the README between its
two markers is replaced; nothing else is touched.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from speed.section import rewritten, section  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, metavar="JSON")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    text = section(json.loads(path.read_text()) for path in options.results)
    options.readme.write_text(rewritten(options.readme.read_text(), text))


if __name__ == "__main__":
    main()
