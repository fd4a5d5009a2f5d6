"""Runs the program on hostile files, each in a fork with an audit hook and limits; started by test_hostile.py.

One line of JSON on stdin is one run: arguments, folder, bytes of the file. One line on stdout is what came of it. All
of refconv that refuses files is imported before: what is imported, compiled or executed later is the file's.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

EVENTS = (
    "marshal.", "exec", "compile", "import", "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn",
    "os.spawn", "os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link", "os.rmdir", "os.putenv",
    "shutil.", "ctypes.", "pickle.", "code.__new__", "builtins.breakpoint", "urllib.", "tempfile.",
)  # fmt: skip
SECONDS = 10
SPARE = 300 << 20
violations: list[str] = []
over: list[bool] = []  # once the program has ended


def watch(late: bool, model: str, folder: str) -> None:
    """From here on only the model is read, and nothing is started; `late`: the framework's worker may be.

    A fork is no start: the copy that reads the file first has this hook too.
    """
    worker = ("subprocess.Popen", "os.mkdir", "tempfile.", "os.remove", "shutil.rmtree", "os.rmdir")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            bad = _strays(arguments, model, folder)
        else:
            bad = event.startswith(EVENTS) and not (late and event.startswith(worker))
        if bad and not over:
            violations.append(f"{event} {str(arguments)[:60]}")
            raise PermissionError(f"audited: {event}")

    sys.addaudithook(hook)


def _strays(arguments: tuple[Any, ...], model: str, folder: str) -> bool:
    path = os.fspath(arguments[0]) if isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
    path = path.decode(errors="replace") if isinstance(path, bytes) else path
    return path.startswith(folder) and path != model and not path.endswith((".out", ".err"))


def limit(size: int) -> None:
    """Memory by the file's size beyond what is in use, and seconds of the processor."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = used + 4 * size + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    spent = int(time.process_time()) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def child(job: dict[str, Any]) -> None:
    folder = job["folder"]
    for number, ending in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/run.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    from refconv.cli import program
    from refconv.cli.ending import run

    limit(job["size"])
    watch(job["late"], job["arguments"][1], folder)
    code = run(program, job["arguments"])
    over.append(True)
    Path(folder, "violations.json").write_text(json.dumps(violations))
    os._exit(code)


def forked(job: dict[str, Any]) -> dict[str, Any]:
    before = set(os.listdir(job["folder"]))
    pid = os.fork()
    if not pid:
        try:
            child(job)
        finally:
            os._exit(98)
    _, status, usage = os.wait4(pid, 0)
    folder = Path(job["folder"])
    found = folder / "violations.json"
    return {
        "code": os.waitstatus_to_exitcode(status),
        "out": (folder / "run.out").read_bytes().decode("latin-1"),
        "err": (folder / "run.err").read_bytes().decode("latin-1"),
        "violations": json.loads(found.read_text()) if found.exists() else ["it died"],
        "made": sorted(set(os.listdir(folder)) - before - {"run.out", "run.err", "violations.json"}),
        "peak": usage.ru_maxrss * 1024,
        "seconds": usage.ru_utime + usage.ru_stime,
    }


def main() -> None:
    import encodings.ascii  # noqa: F401
    import encodings.cp437  # noqa: F401
    import encodings.idna  # noqa: F401
    import encodings.latin_1  # noqa: F401
    import encodings.unicode_escape  # noqa: F401

    import click.testing  # noqa: F401

    import refconv.cli.check
    import refconv.cli.settings
    import refconv.cli.weights
    import refconv.formats.acceptance
    import refconv.formats.build
    import refconv.formats.refusals
    import refconv.formats.rehearsal
    import refconv.formats.siblings
    import refconv.frameworks
    import refconv.inventory.weights
    import refconv.pipeline.code
    import refconv.report.files
    import refconv.report.terminal
    import refconv.report.weights  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
