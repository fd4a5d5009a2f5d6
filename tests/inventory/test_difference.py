"""refconv diff on files: every status, both containers, exit codes, reports; nothing of a framework, little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.crafted import BIAS, KERNEL, dense, layer, sequential, source, write_h5
from support.models import model_path, needs_models

import refconv
from refconv.cli import main
from refconv.errors import BadInput
from refconv.inventory.causes import FLAG, LEAKED, MOVING, OTHER, WAS_TRAINED
from refconv.inventory.difference import Difference
from refconv.inventory.pairing import INNER, NAME, STRUCTURE
from refconv.report.difference import as_json, spans, text

SAMPLES = Path(refconv.__file__).parent / "samples"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def two_dense(path: Path, *, first: str = "one", kernel: np.ndarray = KERNEL, last: np.ndarray | None = None,
              trainable: bool = True, version: str = "2.4.0") -> Path:  # fmt: skip
    last = np.eye(3, dtype=np.float32) if last is None else last
    config = sequential(source(), dense(first, 3, trainable=trainable), dense("two", last.shape[1]))
    weights = {
        first: {f"{first}/kernel:0": kernel, f"{first}/bias:0": BIAS},
        "two": {"two/kernel:0": last, "two/bias:0": np.zeros(last.shape[1], np.float32)},
    }
    return write_h5(path, config, weights, version)


def statuses(found: Difference) -> dict[str, str]:
    return {weight.label: weight.status for weight in found.weights}


@pytest.mark.parametrize("a", ["digits.h5", "digits.keras", "digits_qkeras.h5"])
def test_a_model_is_the_same_as_itself(a: str) -> None:
    found = refconv.diff(SAMPLES / a, SAMPLES / a)
    assert found.is_same and not found.failed and set(found.matched) == {NAME}
    assert set(statuses(found).values()) == {"same"}


@needs_models
def test_one_model_in_both_containers() -> None:
    assert refconv.diff(model_path("float/tiny_mnist.h5"), model_path("float/tiny_mnist.keras")).is_same


def test_one_value(tmp_path: Path) -> None:
    changed = KERNEL.copy()
    changed[2, 1] += 0.5
    a, b = two_dense(tmp_path / "a.h5"), two_dense(tmp_path / "b.h5", kernel=changed)
    found = refconv.diff(a, b)
    assert statuses(found) == {"one/kernel": "changed", "one/bias": "same", "two/kernel": "same", "two/bias": "same"}
    change = found["one/kernel"].change
    assert change is not None and (change.changed, change.elements, change.largest) == (1, 12, 0.5)
    assert "one    kernel  4×3    1 of 12" in text(found)


def test_added_removed_and_reshaped(tmp_path: Path) -> None:
    a, b = two_dense(tmp_path / "a.h5"), two_dense(tmp_path / "b.h5", last=np.ones((3, 5), np.float32))
    assert statuses(refconv.diff(a, b))["two/kernel"] == "reshaped"
    assert "reshaped" not in text(refconv.diff(a, a)) and "was 3×3" in text(refconv.diff(a, b))
    c = write_h5(tmp_path / "c.h5", sequential(source(), dense("one", 3)), {"one": {"k:0": KERNEL, "b:0": BIAS}})
    assert statuses(refconv.diff(a, c)) == {
        "one/kernel": "same", "one/bias": "same", "two/kernel": "removed", "two/bias": "removed"
    }  # fmt: skip
    assert statuses(refconv.diff(c, a))["two/kernel"] == "added"


def test_layers_of_other_names_are_matched_by_structure_and_it_is_said(tmp_path: Path) -> None:
    a, b = two_dense(tmp_path / "a.h5"), two_dense(tmp_path / "b.h5", first="dense_7")
    found = refconv.diff(a, b)
    assert found.is_same and found.matched == {STRUCTURE: 1, NAME: 1}
    told = text(found)
    assert "layers matched 1 by name, 1 by structure" in told and "one is dense_7 (by structure)" in told


def test_a_base_model_in_another(tmp_path: Path) -> None:
    flat = write_h5(tmp_path / "flat.h5", sequential(source(), dense("one", 3)), {"one": {"k:0": KERNEL, "b:0": BIAS}})
    inner = {**sequential(source("y"), dense("one", 3)), "name": "base"}
    inner["config"]["name"] = "base"
    outer = write_h5(
        tmp_path / "outer.h5", sequential(source(), inner), {"base": {"one/kernel:0": KERNEL, "one/bias:0": BIAS}}
    )
    found = refconv.diff(flat, outer)
    assert found.is_same and found.matched == {INNER: 1} and found.renamed == (("one", "base/one", INNER),)


def test_frozen_layers_that_changed(tmp_path: Path) -> None:
    a = two_dense(tmp_path / "a.h5")
    b = two_dense(tmp_path / "b.h5", kernel=KERNEL + np.float32(0.1), trainable=False)
    found = refconv.diff(a, b)
    assert [(c.kind, c.certain) for c in found["one/kernel"].causes] == [(WAS_TRAINED, False), (FLAG, False)]
    a = two_dense(tmp_path / "a.h5", trainable=False)
    assert [c.kind for c in refconv.diff(a, b)["one/kernel"].causes] == [FLAG, OTHER]
    assert "possible, no file records it" in text(refconv.diff(a, b))


@pytest.mark.parametrize(
    ("version", "said"), [("2.1.2", "Keras 2.1.2, which wrote the file"), ("2.4.0", "before 2.1.3")]
)
def test_moving_statistics_of_a_frozen_layer(tmp_path: Path, version: str, said: str) -> None:
    def normed(path: Path, mean: float) -> Path:
        config = sequential(source(), layer("BatchNormalization", "n", axis=[1], trainable=False))
        weights = {f"n/{name}:0": np.full(4, 0.5, np.float32) for name in ("gamma", "beta", "moving_variance")}
        weights = {**weights, "n/moving_mean:0": np.full(4, mean, np.float32)}
        return write_h5(path, config, {"n": weights}, version)

    found = refconv.diff(normed(tmp_path / "a.h5", 1), normed(tmp_path / "b.h5", 2))
    assert {label for label, status in statuses(found).items() if status == "changed"} == {"n/moving_mean"}
    assert [c.kind for c in found["n/moving_mean"].causes] == [MOVING, LEAKED]
    assert said in found["n/moving_mean"].causes[1].text


def test_expect_frozen(tmp_path: Path) -> None:
    a, b = two_dense(tmp_path / "a.h5"), two_dense(tmp_path / "b.h5", last=np.ones((3, 3), np.float32))
    assert (run("diff", str(a), str(b)), run("diff", str(a), str(a))) == (1, 0)
    assert run("diff", str(a), str(b), "--expect-frozen", "one") == 0
    assert run("diff", str(a), str(b), "--expect-frozen", "one", "--expect-frozen", "t?o") == 1
    with pytest.raises(BadInput, match="no layer with weights matches 'three'.*there are one, two"):
        refconv.diff(a, b, expect_frozen=["three"])


def step_of(kernel: np.ndarray) -> float:
    """A change far below half a step of four bits."""
    return float(np.abs(kernel).max()) * 1e-4


def test_a_change_that_the_quantizer_swallows(tmp_path: Path) -> None:
    """Stored weights move in the middle between two boundaries: the layer multiplies by the same."""
    sample = SAMPLES / "digits_qkeras.h5"
    kernel = refconv.weights(sample)["conv"].kernel
    assert kernel.stored is not None
    middle = kernel.effective  # on the grid, half a step from every boundary
    refconv.edit(sample, tmp_path / "a.h5", set=[f"conv/kernel{place}" for place in _settings(middle)])
    moved = middle + np.float32(step_of(middle)) * np.where(np.abs(middle) < np.abs(middle).max((0, 1, 2)), 1, 0)
    refconv.edit(sample, tmp_path / "b.h5", set=[f"conv/kernel{place}" for place in _settings(moved)])
    found = refconv.diff(tmp_path / "a.h5", tmp_path / "b.h5")["conv/kernel"]
    assert found.status == "changed" and found.effective is not None and found.effective.same
    told = text(refconv.diff(tmp_path / "a.h5", tmp_path / "b.h5"))
    assert "conv/kernel: the stored change is too small for its quantizer" in told
    found = refconv.diff(sample, tmp_path / "a.h5")["conv/kernel"]
    assert found.effective is not None
    refconv.edit(sample, tmp_path / "c.h5", set=["conv/kernel[0,0,0,0]=3"])
    found = refconv.diff(sample, tmp_path / "c.h5")["conv/kernel"]
    assert found.effective is not None and not found.effective.same and found.effective.changed >= 1


def _settings(values: np.ndarray) -> list[str]:
    return [f"[{','.join(map(str, index))}]={float(value)!r}" for index, value in np.ndenumerate(values)]


def test_other_effective_weights_from_the_same_stored_ones(tmp_path: Path) -> None:
    """The configuration has another quantizer: nothing stored differs, and the models do."""
    sample, other = SAMPLES / "digits_qkeras.h5", tmp_path / "other.h5"
    other.write_bytes(sample.read_bytes())
    with h5py.File(other, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        conv = next(item for item in config["config"]["layers"] if item["config"]["name"] == "conv")
        conv["config"]["kernel_quantizer"]["config"]["bits"] += 2
        file.attrs["model_config"] = json.dumps(config)
    found = refconv.diff(sample, other)
    assert set(statuses(found).values()) == {"same"} and not found.is_same and found.failed
    assert "conv/kernel: effective weights: " in text(found)


def test_reports(tmp_path: Path) -> None:
    a, b = two_dense(tmp_path / "a.h5"), two_dense(tmp_path / "b.h5", kernel=np.full((4, 3), np.nan, np.float32))
    assert run("diff", str(a), str(b), "--all", "--json", str(tmp_path / "d.json")) == 1
    document = json.loads((tmp_path / "d.json").read_text(), parse_constant=pytest.fail)
    entry = document["weights"][0]
    assert (document["same"], entry["layer"], entry["status"], entry["shape_b"]) == (False, "one", "changed", [4, 3])
    assert entry["change"]["changed"] == 12 and entry["change"]["largest"] == "nan"
    found = refconv.diff(a, b)
    assert json.loads(as_json(found)) == document
    assert len(text(found, every=True).splitlines()) == len(text(found).splitlines()) + 3
    assert all(len(line) <= 100 for line in text(found, every=True).splitlines()[1:])  # the first has the paths


def test_spans() -> None:
    assert list(spans([0, 1, 2, 5, 7, 8])) == ["0–2", "5", "7–8"]
    assert list(spans([])) == []


@pytest.mark.parametrize(("a", "said"), [("none.h5", "no such file"), ("run.h5@3", "no such file")])
def test_files_that_are_not_there(a: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("diff", a, str(SAMPLES / "digits.h5")) == 2
    assert said in capsys.readouterr().err


def test_weights_alone_need_an_architecture(tmp_path: Path) -> None:
    with h5py.File(two_dense(tmp_path / "a.h5")) as file, h5py.File(tmp_path / "w.h5", "w") as alone:
        (tmp_path / "model.json").write_text(file.attrs["model_config"])
        for name, value in file["model_weights"].attrs.items():
            alone.attrs[name] = value
        for name in file["model_weights"]:
            file.copy(f"model_weights/{name}", alone)
    found = refconv.diff(tmp_path / "a.h5", tmp_path / "w.h5", architecture=tmp_path / "model.json")
    assert found.is_same and len(found.weights) == 4


def test_no_framework_and_little_memory(tmp_path: Path) -> None:
    """Two files of 64 MB each are compared in far less; a change in the last value is found."""
    rows = np.arange(16_000_000, dtype=np.float32).reshape(4000, 4000)
    config = sequential(source(shape=(None, 4000)), dense("d", 4000))
    weights = {"d": {"kernel:0": rows, "bias:0": rows[0]}}
    a = write_h5(tmp_path / "a.h5", config, weights)
    rows[-1, -1] += 1
    b = write_h5(tmp_path / "b.h5", config, weights)
    code = (
        "import sys, resource; from refconv.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally:\n"
        "    assert not {'tensorflow', 'keras', 'tf_keras', 'qkeras'} & set(sys.modules)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    command = [sys.executable, "-c", code, "diff"]
    sizes = []
    for pair, status in ((("digits.h5", "digits.h5"), 0), ((a, b), 1)):
        paths = [str(SAMPLES / path) for path in pair]
        done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (status, "")
        sizes.append(int(done.stdout.splitlines()[-1]))
    assert "1 of 16,000,000" in done.stdout
    assert sizes[1] - sizes[0] < 32  # MB
