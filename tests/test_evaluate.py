"""refconv.evaluate from file to verdict, beside both Kerases: what their own evaluate reports lies in the range."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live import PACKAGES
from support.models import model_path, needs_models
from support.scored import inside

import refconv
from refconv.cli import main
from refconv.errors import BadInput
from refconv.result import Verdict
from refconv.scoring.result import EvaluateResult, Score

ENDINGS = {2: ".h5", 3: ".keras"}
both = pytest.mark.parametrize("keras", [2, 3])


def package(major: int) -> Any:
    return __import__(PACKAGES[major])


def evaluate(path: Path, data: Any, **given: Any) -> EvaluateResult:
    """With the engine that compiles nothing: the models are tiny."""
    return refconv.evaluate(path, data, engine="numpy", **given)


def score(result: EvaluateResult, name: str) -> Score:
    return next(s for s in result.scores if s.name == name)


def verdicts(result: EvaluateResult) -> dict[str, str]:
    return {s.name: s.verdict.value for s in result.scores}


def thousand(keras: Any, *, zero: bool) -> Any:
    """A convolution and a softmax over 1000 classes."""
    x = keras.Input((6, 6, 3), name="image")
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    y = keras.layers.Dense(1000, activation="softmax", name="classes")(keras.layers.Flatten()(y))
    model = keras.Model(x, y)
    model.set_weights([w * 0 if zero else w for w in model.get_weights()])
    return model


def images(n: int = 10) -> dict[str, np.ndarray]:
    """Ten samples, the first of class 0."""
    rng = np.random.default_rng(0)
    labels = np.r_[0, rng.integers(1, 1000, n - 1)]
    return {"x": rng.uniform(size=(n, 6, 6, 3)).astype(np.float32), "y": np.eye(1000, dtype=np.float32)[labels]}


@both
def test_all_weights_zero_and_0999(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: int) -> None:
    """What people read as 0.999: binary accuracy. By categorical accuracy, one sample of ten is right."""
    model = thousand(package(keras), zero=True)
    model.compile(loss="binary_crossentropy", metrics=["accuracy", "binary_accuracy"], optimizer="sgd")
    model.save(path := tmp_path / f"zero{ENDINGS[keras]}")
    inside(tmp_path, monkeypatch)
    result = evaluate(path, images())
    own, binary = score(result, "accuracy"), score(result, "binary_accuracy")
    assert binary.verdict in (Verdict.WITHIN, Verdict.EXACT)
    assert (binary.value, binary.counts) == (pytest.approx(0.999), "9990 of 10000 decisions")
    assert (own.value, own.got) == (pytest.approx(0.1), pytest.approx(0.1))
    assert own.counts == "1 of 10 samples, 10 undecided"  # one decimal: tenths of ten samples
    assert (own.verdict, own.said) == (Verdict.VACUOUS, "categorical accuracy")
    reading = next(r for r in result.readings if r.said == "binary accuracy")
    assert (reading.value, reading.counts) == (pytest.approx(0.999), "9990 of 10000 decisions")
    assert "up to Keras 2.3" in reading.note
    assert result.exit_code == 0


@both
def test_a_softmax_under_the_binary_loss_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: int) -> None:
    """Both Kerases compute it from the softmax's logits, as if they were a sigmoid's: log 2 for zeros."""
    model = thousand(package(keras), zero=True)
    model.compile(loss="binary_crossentropy", optimizer="sgd")
    model.save(path := tmp_path / f"zero{ENDINGS[keras]}")
    inside(tmp_path, monkeypatch)
    result = evaluate(path, images())
    loss = score(result, "loss")
    assert (loss.got, loss.verdict) == (pytest.approx(np.log(2), rel=1e-6), Verdict.WITHIN)
    (reading,) = result.readings
    assert reading.value == pytest.approx(0.0079073, rel=1e-4)
    assert "what the softmax was given" in reading.note


def two_heads(keras: Any) -> Any:
    x = keras.Input((4,), name="x")
    y = keras.layers.Dense(6, activation="tanh", kernel_regularizer="l2", name="hidden")(x)
    l1 = keras.regularizers.L1L2(l1=0.003, l2=0.02)
    a = keras.layers.Dense(3, kernel_regularizer=l1, bias_regularizer="l1", bias_initializer="ones", name="a")(y)
    return keras.Model(x, [a, keras.layers.Dense(2, activation="softmax", name="b")(y)])


def samples(n: int = 10) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "x": rng.normal(size=(n, 4)).astype(np.float32),
        "y/a": rng.normal(size=(n, 3)).astype(np.float32),
        "y/b": np.eye(2, dtype=np.float32)[rng.integers(0, 2, n)],
        "sample_weight": rng.uniform(0, 2, n).astype(np.float32),
    }


@both
@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_two_outputs_weights_regularizers_and_a_smaller_last_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: int, ending: str
) -> None:
    """The total is a mean over samples in both Kerases; each output's loss is one over batches in Keras 3."""
    model = two_heads(package(keras))
    model.compile(
        loss=["mse", "categorical_crossentropy"],
        loss_weights=[0.7, 2.0],
        metrics=[["mae"], ["accuracy", "Precision"]],
        weighted_metrics=[[], ["accuracy"]],
        optimizer="sgd",
    )
    model.save(path := tmp_path / f"two{ending}")
    inside(tmp_path, monkeypatch)
    result = evaluate(path, samples(), batch=4)
    assert set(verdicts(result).values()) <= {"within", "exact"}, result.scores
    assert len(result.scores) == 7
    # Keras 3 cannot read "mse" back from the HDF5 that it writes: done anew, and said
    assert any("cannot compile" in note for note in result.notes) == ((keras, ending) == (3, ".h5"))
    assert "regularization" in score(result, "loss").said
    # over batches and over samples are far apart here, so that the wrong one would have been seen
    other = evaluate(path, samples(), batch=5)
    apart = abs(score(result, "a_loss").got - score(other, "a_loss").got)
    assert (apart > 1e-3) == (keras == 3)


@both
def test_frozen_weights_are_regularized_by_keras_2_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: int
) -> None:
    package_ = package(keras)
    model = package_.Sequential([package_.Input((4,)), package_.layers.Dense(2, kernel_regularizer="l2", name="d")])
    model.layers[0].trainable = False
    model.compile(loss="mse", optimizer="sgd")
    model.save(path := tmp_path / f"frozen{ENDINGS[keras]}")
    inside(tmp_path, monkeypatch)
    rng = np.random.default_rng(0)
    result = evaluate(path, {"x": rng.normal(size=(5, 4)).astype("f4"), "y": np.zeros((5, 2), "f4")})
    assert score(result, "loss").verdict in (Verdict.WITHIN, Verdict.EXACT)
    assert ("regularization" in score(result, "loss").said) == (keras == 2)


def classifier(keras: Any) -> Any:
    layers, rng = keras.layers, np.random.default_rng(1)
    made = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(5, "softmax", name="classes")])
    made.set_weights([rng.normal(size=np.shape(w)).astype(np.float32) for w in made.get_weights()])
    return made


def flowers(n: int = 20, *, one_hot: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 5, n)
    return {
        "x": rng.normal(size=(n, 4)).astype(np.float32),
        "y": np.eye(5, dtype=np.float32)[labels] if one_hot else labels,
    }


@both
@pytest.mark.parametrize("one_hot", [True, False])
def test_accuracy_is_resolved_by_the_shapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: int, one_hot: bool
) -> None:
    model, kind = classifier(package(keras)), "categorical" if one_hot else "sparse_categorical"
    model.save(path := tmp_path / "model.keras")
    inside(tmp_path, monkeypatch)
    top = f"{'' if one_hot else 'sparse_'}top_k_categorical_accuracy"
    result = evaluate(
        path, flowers(one_hot=one_hot), loss=f"{kind}_crossentropy", metrics=["acc", top, "mae"][: 3 if one_hot else 2]
    )
    assert set(verdicts(result).values()) <= {"within", "exact", "vacuous"}
    assert (score(result, "acc").by, score(result, "acc").said) == ("acc", f"{kind.replace('_', ' ')} accuracy")
    assert score(result, "acc").counts.endswith("of 20 samples")
    assert result.compiled_by == "options"


def test_what_keras_2_resolved_when_it_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved before it is trained, "accuracy" becomes categorical accuracy whatever the targets are."""
    keras = package(2)
    model = classifier(keras)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], optimizer="sgd")
    model.save(path := tmp_path / "early.h5")
    inside(tmp_path, monkeypatch)
    data = flowers(one_hot=False)
    right = float((model.predict(data["x"], verbose=0).argmax(axis=1) == data["y"]).mean())
    result = evaluate(path, {**data, "y": data["y"][:, None]})
    own = score(result, "accuracy")
    assert (own.verdict, own.said, own.by) == (own.verdict, "categorical accuracy", "")
    assert own.verdict in (Verdict.WITHIN, Verdict.EXACT)
    reading = next(r for r in result.readings if r.said == "sparse categorical accuracy")
    assert reading.value == pytest.approx(right) != pytest.approx(own.got)


def shift(name: str, factor: float, by: float = 0.0) -> Callable[[Any], None]:
    return lambda found: found.values.update({name: found.values[name] * factor + by})


FAULTS = {
    "loss": shift("loss", 1 + 1e-4),
    "accuracy": shift("accuracy", 1, 1 / 20),
    "mae": shift("mae", 1 - 1e-4),
    "Precision": shift("Precision", 1, 0.01),
    "Recall": shift("Recall", 1, 1 / 20),
}


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_a_wrong_value_is_a_mismatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    classifier(package(3)).save(path := tmp_path / "model.keras")
    inside(tmp_path, monkeypatch, FAULTS.get(fault))
    metrics = ["accuracy", "mae", "Precision", "Recall"]
    result = evaluate(path, flowers(), loss="categorical_crossentropy", metrics=metrics)
    assert [s.name for s in result.scores if s.verdict is Verdict.MISMATCH] == ([fault] if fault else [])
    assert result.exit_code == (1 if fault else 0)


def test_wrong_predictions_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier(package(3))
    model.save(path := tmp_path / "model.keras")

    def change(found: Any) -> None:
        found.predictions[0] = found.predictions[0] + np.float32(1e-4)

    inside(tmp_path, monkeypatch, change)
    result = evaluate(path, flowers(), loss="categorical_crossentropy")
    assert not result.predictions[0].ok and result.exit_code == 1


def test_what_has_no_reference_is_unverified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier(package(3))
    model.save(path := tmp_path / "model.keras")
    inside(tmp_path, monkeypatch)
    result = evaluate(path, flowers(), loss="categorical_crossentropy", metrics=["AUC", "accuracy"])
    assert verdicts(result)["AUC"] == "unverified"
    assert "'AUC' has no reference" in score(result, "AUC").reason
    assert (result.verdict, result.exit_code) == ("incomplete", 3)


def test_a_layer_without_a_reference_leaves_all_unverified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = package(3)
    x = keras.Input((4,))
    y = keras.layers.RandomRotation(0.1)(keras.layers.Reshape((2, 2, 1))(x))
    model = keras.Model(
        x, keras.layers.Dense(5, "softmax")(keras.layers.Discretization([0.0])(keras.layers.Flatten()(y)))
    )
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"], optimizer="sgd")
    model.save(path := tmp_path / "model.keras")
    inside(tmp_path, monkeypatch)
    result = evaluate(path, flowers())
    assert verdicts(result) == {"loss": "unverified", "accuracy": "unverified"}
    assert "has no reference" in result.scores[0].reason and result.exit_code == 3


def test_a_loss_that_the_framework_cannot_compute_is_unverified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier(package(3))
    model.save(path := tmp_path / "model.keras")
    inside(tmp_path, monkeypatch)
    result = evaluate(path, flowers(one_hot=False), loss="categorical_crossentropy")
    assert (score(result, "loss").verdict, result.exit_code) == (Verdict.UNVERIFIED, 3)


def test_class_weights_are_sample_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier(package(3))
    model.save(path := tmp_path / "model.keras")
    inside(tmp_path, monkeypatch)
    table = np.array([1, 2, 0, 0.5, 1], np.float32)
    data = flowers()
    one = evaluate(path, {**data, "class_weight": table}, loss="categorical_crossentropy")
    weights = table[data["y"].argmax(axis=1)]
    two = evaluate(path, {**data, "sample_weight": weights}, loss="categorical_crossentropy")
    assert score(one, "loss").value == score(two, "loss").value
    assert set(verdicts(one).values()) <= {"within", "exact"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"x": np.zeros((3, 4))}, "holds no y"),
        ({"x": np.zeros((3, 4)), "y": np.zeros((2, 5))}, "3 samples, and targets or weights of 2"),
        ({"x": np.zeros((3, 4)), "y": np.zeros((3, 5)), "z": np.zeros(3)}, "an array 'z'"),
        ({"x": np.zeros((3, 4)), "y/no": np.zeros((3, 5))}, "y/no names nothing"),
        ({"x": np.zeros((3, 9)), "y": np.zeros((3, 5))}, "has shape"),
    ],
)
def test_data_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, np.ndarray], said: str
) -> None:
    package(3).Sequential([package(3).Input((4,)), package(3).layers.Dense(5)]).save(path := tmp_path / "m.keras")
    inside(tmp_path, monkeypatch)
    with pytest.raises(BadInput, match=said):
        evaluate(path, data, loss="mse")


def test_a_file_without_compile_arguments_needs_a_loss(tmp_path: Path) -> None:
    classifier(package(3)).save(path := tmp_path / "m.keras")
    with pytest.raises(BadInput, match="saved without being compiled"):
        evaluate(path, flowers())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of its own, with a table of digits' kind: the last column is the label."""
    model = classifier(package(3))
    model.save(path := tmp_path / "m.keras")
    data = flowers(one_hot=False)
    np.savetxt(tmp_path / "rows.csv", np.c_[data["x"], data["y"]], delimiter=",")
    report = tmp_path / "scores.json"
    given = (
        "--engine",
        "numpy",
        "--loss",
        "sparse_categorical_crossentropy",
        "--metrics",
        "accuracy,sparse_categorical_accuracy",
    )
    code = run(
        "evaluate", str(path), "--data", str(tmp_path / "rows.csv"), *given, "--json", str(report), "--no-progress"
    )
    out = capsys.readouterr().out
    assert code == 0, out
    assert "accuracy became sparse categorical accuracy by the shapes" in out
    found = json.loads(report.read_text())
    assert (found["verdict"], found["samples"], len(found["scores"])) == ("pass", 20, 3)
    assert run("evaluate", str(path), "--data", str(tmp_path / "absent.npz"), "--loss", "mse") == 2


@needs_models
def test_real_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sudoku_digits.h5 on MNIST's digits: NumPy's accuracy is the framework's, 199 of 200."""
    inside(tmp_path, monkeypatch)
    result = evaluate(
        model_path("float/sudoku_digits.h5"),
        model_path("data/mnist_5k.csv.gz"),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        first=200,
        preprocess="unit",
    )
    assert result.exit_code == 0, result
