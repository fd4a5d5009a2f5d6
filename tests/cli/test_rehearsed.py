"""Every command that opens a model lets a copy of the process read it first (formats/rehearsal.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from refconv.cli import COMMANDS, main
from refconv.errors import UnreadableModel
from refconv.formats import rehearsal

SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
MODEL, DIGITS = str(SAMPLES / "digits.h5"), str(SAMPLES / "digits.npy")
ARGUMENTS = {
    "check": [MODEL],
    "capture": [MODEL],
    "explain": [MODEL, "conv", "--input", DIGITS, "--output", DIGITS],
    "pixel": [MODEL, "conv", "--at", "0,0,0"],
    "evaluate": [MODEL, "--data", DIGITS],
    "weights": [MODEL],
    "diff": [MODEL, MODEL + "@last"],
    "edit": [MODEL, "--set", "conv=0"],
    "view": [MODEL],
}
ASK_NO_FILE = {"rule", "layers", "env", "worker"}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_file_that_a_copy_does_not_come_through_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str, seconds: int = 0) -> None:
        raise UnreadableModel("no end", where=path)

    monkeypatch.setattr(rehearsal, "rehearse", refuse)
    new = ["--output", str(tmp_path / "new.h5")] if command in ("capture", "edit", "view") else []
    with pytest.raises(SystemExit) as ended:
        main([command, *ARGUMENTS[command], *new])
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == f"refconv: {MODEL}: no end"
    assert not list(tmp_path.iterdir())


def test_no_command_is_forgotten() -> None:
    assert set(ARGUMENTS) | ASK_NO_FILE == set(COMMANDS)
