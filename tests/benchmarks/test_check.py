"""What a check costs: hand-worked figures, the order of the runs, and each command once on a sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import check
import pytest
from speed import beside, costs
from speed.beside import Row, Side
from speed.files import File, find, read
from speed.growth import line
from speed.processes import Ran
from speed.timing import Measured

from refconv import formats

SAMPLES = Path(formats.__file__).parents[1] / "samples"
DIGITS = SAMPLES / "digits.keras"


def side(seconds: float, peak: float = 100e6, exit_code: int = 0, said: str = "PASS") -> Side:
    return Side(Measured(seconds, seconds - 0.1, seconds + 0.1), peak, exit_code, said)


def row(batch: int, plain: float, checked: float, model: str = "VGG16", **more: int) -> Row:
    return Row(model, batch, 1, side(plain), side(checked, 150e6, **more))


def test_a_line_is_found_and_what_is_off_it() -> None:
    """8 + 2·N; with a second too much at 3, slope 10.5 / 5 through (2.5, 13.25), and 15 where the line is at 14.3."""
    straight = line({1: 10.0, 2: 12.0, 4: 16.0})
    assert straight
    assert (straight.fixed, straight.each, straight.off) == pytest.approx((8.0, 2.0, 0.0))
    bent = line({1: 10.0, 2: 12.0, 3: 15.0, 4: 16.0})
    assert bent
    assert (bent.fixed, bent.each, bent.off) == pytest.approx((8.0, 2.1, 0.7 / 14.3))
    assert line({1: 10.0, 2: 12.0}) is None


def test_goals_are_worked_out_of_what_passed() -> None:
    rows = [row(1, 10.0, 12.0), row(2, 11.0, 14.0), row(4, 13.0, 18.0)]
    found = costs.as_json(rows, (side(0.2), side(0.6)), {}, "PSS")
    assert list(found["promised"].values()) == pytest.approx([1.2, None, 0.0, 1.5, 0.75], abs=1e-9)
    assert found["growth"]["VGG16"]["marginal"] == pytest.approx(2.0)
    assert found["growth"]["VGG16"]["check"]["fixed"] == pytest.approx(10.0)
    tiny = costs.promised([row(1, 10.0, 13.0, "float/mlperf_tiny_resnet.h5")], None)
    assert list(tiny.values()) == pytest.approx([None, 1.3, None, 1.5, None])


def test_what_does_not_pass_is_told_and_meets_no_goal() -> None:
    failing = row(1, 10.0, 12.0, exit_code=1, said="FAIL  conv")
    assert set(costs.promised([failing], (side(0.2), side(0.1, exit_code=2))).values()) == {None}
    assert costs.costs([failing]).rows[0][-1] == "check 1"
    assert failing.slower == pytest.approx(1.2)  # it judged all layers
    refused = row(1, 10.0, 2.0, exit_code=2, said="no such file")
    assert refused.slower is refused.larger is None
    assert costs.costs([refused]).rows[0][4::3] == ["–", "–"]
    told = costs.failures([failing, refused], (side(0.2), side(0.1, exit_code=2, said="gone")))
    assert told == [
        "VGG16, batch 1: check ends with 1: FAIL  conv",
        "VGG16, batch 1: check ends with 2: no such file",
        "listing weights: refconv weights ends with 2: gone",
    ]


def test_tables_say_what_was_measured() -> None:
    rows = [row(1, 10.0, 12.0), row(2, 11.0, 14.0), row(4, 13.0, 18.0)]
    assert "| VGG16 | 1 | 10.0 ±0.1 | 12.0 ±0.1 | 1.20 | 100 | 150 | 1.50 | 0 |" in costs.costs(rows).markdown()
    assert "| VGG16 | 10.0 + 2.00·N | 0% | 9.0 + 1.00·N | 2.00 |" in costs.lines(rows).markdown()


def test_all_rounds_are_one_side() -> None:
    found = Side.of([Ran(1.0, 10, 0, "PASS"), Ran(3.0, 30, -9, "killed"), Ran(2.0, 20, 0, "PASS")])
    assert (found.seconds.median, found.peak, found.exit_code, found.said) == (2.0, 20.0, -9, "killed")


def test_both_are_run_in_turn_on_the_same_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, str]] = []

    def run(command: Sequence[str | Path], env: object = None) -> Ran:
        words = [str(word) for word in command]
        if "check" in words:
            ran.append(("check", words[-1]))
            return Ran(2.0, 300, 0, "PASS")
        assert words[2:5] == [str(DIGITS), "3", "keras"]
        ran.append(("plain", Path(words[5]).stem.partition("-")[0]))
        return Ran(1.0, 200, 0, "")

    monkeypatch.setattr(beside, "run", run)
    (file,), left_out = read({"digits": DIGITS})
    rows = beside.beside(file, [1, 4], 2, 1, lambda what: None)
    turns = [(what, batch) for batch in ("1", "1", "4", "1") for what in ("plain", "check")]
    assert ran == turns  # a warm-up, a round of both batches, and one more of the first
    assert [(r.batch, r.rounds, r.slower, r.larger) for r in rows] == [(1, 2, 2.0, 1.5), (4, 1, 2.0, 1.5)]
    assert left_out == {}


def test_files_are_found_by_name_and_damaged_ones_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFCONV_MODELS", str(SAMPLES))
    assert find(["digits_qkeras"], tmp_path) == {"digits_qkeras.h5": SAMPLES / "digits_qkeras.h5"}
    assert set(find(["digits"], tmp_path)) == {"digits.h5", "digits.keras"}
    with pytest.raises(SystemExit, match="no model is called 'nothing'"):
        find(["nothing"], tmp_path)
    (tmp_path / "empty.h5").touch()
    files, left_out = read(find([str(tmp_path / "empty.h5")], tmp_path))
    assert not files
    assert "empty" in left_out["empty.h5"]


def test_weights_beside_cat() -> None:
    cat, weights = beside.weights_beside_cat(DIGITS, 1)
    assert cat.exit_code == weights.exit_code == 0
    assert 0 < cat.seconds.median < weights.seconds.median


@pytest.mark.slow
@pytest.mark.parametrize(("name", "batches"), [("digits.keras", [1, 2, 4]), ("digits_qkeras.h5", [2])])
def test_command(name: str, batches: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "check.json", tmp_path / "check.md"
    files = ["--json", str(written[0]), "--markdown", str(written[1])]
    asked = ["--batches", *map(str, batches), "--rounds", "1", "--no-weights"]
    check.main(["--models", str(SAMPLES / name), *asked, *files])
    told = json.loads(written[0].read_text())
    assert [(r["batch"], r["plain"]["exit_code"], r["check"]["exit_code"]) for r in told["rows"]] == [
        (batch, 0, 0) for batch in batches
    ]
    assert all(r["check"]["said"].startswith("PASS") and r["larger"] > 0 for r in told["rows"])
    assert (told["growth"][name] is not None) == (len(batches) > 2)
    assert f"| {name} | {batches[-1]} |" in written[1].read_text()
    assert "most memory, times the plain script (goal 1.6)" in capsys.readouterr().out


def test_a_file_is_what_was_asked_for() -> None:
    (file,), _ = read({"one": DIGITS})
    assert isinstance(file, File) and file.name == "one" and file.graph.keras == 3
