"""The worker as one file that any Python can run, with nothing of refconv installed there."""

from __future__ import annotations

import zipfile
from pathlib import Path

from refconv import __version__

PACKAGE = Path(__file__).resolve().parents[1]
CARRIED = ("job.py", "trace.py")
START = "import sys\nfrom refconv.frameworks.worker.__main__ import main\nsys.exit(main())\n"


def write_bundle(path: Path) -> Path:
    """Write a zipapp with the worker, `refconv.job` and `refconv.trace` under their own names."""
    worker = sorted((PACKAGE / "frameworks" / "worker").rglob("*.py"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", START)
        archive.writestr("refconv/__init__.py", f"__version__ = {__version__!r}\n")
        archive.writestr("refconv/frameworks/__init__.py", "")
        for file in [PACKAGE / name for name in CARRIED] + worker:
            archive.write(file, f"refconv/{file.relative_to(PACKAGE).as_posix()}")
    return path
