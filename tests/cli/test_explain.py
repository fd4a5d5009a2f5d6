"""explain, pixel and rule as a user meets them."""

from __future__ import annotations

import json
import re
from math import fsum
from pathlib import Path

import numpy as np
import pytest

import refconv
from refconv.cli import main

SAMPLES = Path(__file__).resolve().parents[2] / "refconv" / "samples"
QKERAS, KERAS, DIGITS = (str(SAMPLES / name) for name in ("digits_qkeras.h5", "digits.keras", "digits.npy"))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """The first pixel over all channels, computed with the weights of the file."""
    conv = refconv.weights(QKERAS)["conv"]
    patch = np.load(DIGITS)[0, 0:3, 0:3, :]
    assert conv.kernel.stored is not None and conv.bias.stored is not None
    values = (patch[..., None] * conv.kernel.stored).sum((0, 1, 2)) + conv.bias.stored
    (tmp_path / "mine.txt").write_text(str(values))
    return str(tmp_path / "mine.txt")


def test_explain(mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = str(tmp_path / "why.json")
    asked = ("explain", QKERAS, "conv", "--input", DIGITS, "--output", mine, "--at", "1,1", "--sample", "0")
    assert run(*asked, "--json", report, "--no-progress") == 1
    printed = capsys.readouterr().out
    assert "RC101  stored instead of effective weights" in printed and "DIFFERS" in printed
    assert "kernel = refconv.weights(" in printed
    document = json.loads(Path(report).read_text())
    assert document["findings"][0]["code"] == "RC101" and document["verdict"] == "mismatch"
    assert " ".join(document["findings"][0]["command"].split()[:4]) == f"refconv explain {QKERAS} conv"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", QKERAS, "conv", "--output", DIGITS), "--layer-input"),
        (("explain", QKERAS, "conv", "--output", "absent.npy", "--input", DIGITS), "no such file"),
        (("explain", QKERAS, "cnov", "--output", DIGITS, "--input", DIGITS), "near are conv"),
        (("explain", QKERAS, "conv", "--output", DIGITS, "--input", DIGITS, "--scale", "2"), "--codes"),
        (("pixel", QKERAS, "conv", "--at", "9,9,9", "--no-framework"), "outside"),
        (("pixel", QKERAS, "conv", "--at", "1,1", "--no-framework"), "not one element"),
        (("pixel", QKERAS, "flatten", "--at", "0", "--no-framework"), "cannot be shown by hand"),
        (("pixel", QKERAS, "conv", "--at", "1,1,0", "--input", DIGITS, "--layer-input", DIGITS), "exclude"),
        (("pixel", QKERAS, "input", "--at", "1,1,0", "--no-framework"), "LAYER"),
        (("rule",), "--list"),
        (("rule", "RC101", "--list"), "--list"),
        (("rule", "RC000"), "there is no rule"),
    ],
)
def test_usage(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


def test_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rule", "RC203") == 0
    assert capsys.readouterr().out.startswith("RC203  kernel flipped\n")
    assert run("rule", "--list") == 0
    assert "  RC101  stored instead of effective weights\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "layer", "at"),
    [
        (QKERAS, "conv", "1,1,0"),
        (QKERAS, "logits", "3"),
        (KERAS, "conv_strided", "0,1,3"),
        (KERAS, "depthwise", "0,0,5"),
        (KERAS, "max_pool", "3,0,1"),
        (KERAS, "average_pool", "1,1,0"),
        (KERAS, "classes", "2"),
    ],
)
def test_what_pixel_prints_adds_up(
    model: str, layer: str, at: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "pixel.json"
    asked = ("pixel", model, layer, "--at", at, "--input", DIGITS, "--sample", "2", "--no-framework", "--no-progress")
    assert run(*asked, "--all", "--json", str(report)) == 0
    d = json.loads(report.read_text())
    field = np.array(d["field"]["values"]).reshape(d["field"]["shape"])
    if d["kernel"] is not None:
        kernel = np.array(d["kernel"]).reshape(field.shape)
        np.testing.assert_array_equal(field * kernel, np.array(d["products"]).reshape(field.shape))
        assert d["total"] == fsum(d["products"])
    elif d["operation"] == "mean":
        assert d["total"] == fsum(d["field"]["values"])
    else:
        assert d["total"] == max(d["field"]["values"])
    assert d["before_activation"] == pytest.approx(d["total"] / d["divisor"] + (d["bias"] or 0), rel=1e-14, abs=1e-14)
    x = np.load(DIGITS)
    own = refconv.run(refconv.load(model), x)[layer].mid
    assert d["index"] == [2, *map(int, at.split(","))]
    assert d["value"] == pytest.approx(own[tuple(d["index"])], rel=1e-12, abs=1e-14)
    printed = capsys.readouterr().out
    terms = [line for line in printed.splitlines() if re.match(r"\s*(\[|padding)", line)]
    assert len(terms) == field.size
    if d["kernel"] is not None:
        assert sum(float(line.split()[-1]) for line in terms) == pytest.approx(d["total"], rel=1e-6, abs=1e-6)


def test_pixel_beside_the_framework(capsys: pytest.CaptureFixture[str]) -> None:
    """The original question on the screen: with the effective weights it is what QKeras computes."""
    assert run("pixel", QKERAS, "conv", "--at", "1,1,0", "--input", DIGITS, "--no-progress") == 0
    printed = capsys.readouterr().out
    value = re.search(r"^reference +(\S+)", printed, re.M)
    assert value and re.search(rf"^framework +{re.escape(value[1])} +equal", printed, re.M)
    assert "stored" in printed and "effective" in printed and "with stored weights" in printed
