"""A short run of fuzz.py, always the same: what a damaged file may come to, and that the fuzzer sees the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from security.fuzz import GOOD, SAMPLES, SUMMED, Damage, Reader, cuts, damages, flips, run, subjects


def test_a_short_run(tmp_path: Path) -> None:
    """Every 90th cut and 100 flips; a hang, a crash, a traceback or a message of several lines is none of GOOD."""
    tally = run(damages(subjects(tmp_path, None), 100, seed=1, every=90))
    assert not tally.bad
    assert {outcome for _, _, outcome in tally.counts} == set(GOOD)
    assert {outcome for suffix, _, outcome in tally.counts if suffix == SUMMED} == {"same", "refused"}
    assert not any(outcome != "refused" for _, kind, outcome in tally.counts if kind == "cut")


def test_the_cuts_are_at_every_kilobyte_and_at_the_structures() -> None:
    for path in (SAMPLES / "digits.h5", SAMPLES / "digits.keras"):
        places = {damage.places[0][0] for damage in cuts(path)}
        assert set(range(0, path.stat().st_size, 1024)) <= places
        start = path.read_bytes().index(b"TREE")
        assert {start - 1, start, start + 1, start + 4} <= places


def test_the_same_seed_damages_the_same() -> None:
    path = SAMPLES / "digits.h5"
    assert list(flips(path, 20, 3)) == list(flips(path, 20, 3)) != list(flips(path, 20, 4))
    assert Damage("", "flip", ((1, 0), (2, 9))).done(b"abcd") == b"a\0\td"


@pytest.mark.parametrize(("name", "outcome"), [("segfault", "crash"), ("silence", "hang"), ("bug", "bug")])
def test_the_fuzzer_sees_what_must_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, outcome: str
) -> None:
    """A child that does something else than reading, for three names of files."""
    monkeypatch.setattr("security.fuzz.SECONDS", 2.0)
    reader = Reader(tmp_path)
    assert reader.ask(tmp_path / f"test-{name}")["outcome"] == outcome
    reader.close()
