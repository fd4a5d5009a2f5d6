"""What identifiers of files and users become."""

from __future__ import annotations

from typing import Any

import pytest

from refconv.errors import BadInput
from refconv.scoring.compiled import Compiled, OutputTerms, by_output
from refconv.scoring.names import by_loss, called, resolve, snake_case
from refconv.scoring.predictions import Unsettled


@pytest.mark.parametrize(
    ("target", "output", "wanted"),
    [
        ((8, 1), (8, 1), "binary_accuracy"),
        ((8,), (8, 1), "binary_accuracy"),
        ((8, 10), (8, 10), "categorical_accuracy"),
        ((8,), (8, 10), "sparse_categorical_accuracy"),
        ((8, 1), (8, 10), "sparse_categorical_accuracy"),
        ((8, 4, 4), (8, 4, 4, 10), "sparse_categorical_accuracy"),
    ],
)
def test_accuracy_by_shape(target: tuple[int, ...], output: tuple[int, ...], wanted: str) -> None:
    for name in ("accuracy", "acc"):
        assert resolve(name, target, output, 3).row.name == wanted


def test_crossentropy_by_shape_is_a_metric_of_keras_2_and_a_loss_of_keras_3() -> None:
    assert resolve("ce", (8,), (8, 10), 2).row.name == "sparse_categorical_crossentropy"
    assert resolve("crossentropy", (8, 10), (8, 10), 3, loss=True).row.name == "categorical_crossentropy"
    for keras, loss in ((3, False), (2, True)):
        with pytest.raises(Unsettled, match=f"Keras {keras} knows no"):
            resolve("ce", (8,), (8, 10), keras, loss=loss)


KERAS3_LOSS = {"module": "keras.losses", "class_name": "CategoricalCrossentropy", "registered_name": None}
KERAS3_LOSS |= {"config": {"name": "cce", "reduction": "sum_over_batch_size", "label_smoothing": 0.1, "axis": -1}}
WRAPPED = {
    "class_name": "MeanMetricWrapper",
    "config": {"name": "a_accuracy", "dtype": "float32", "fn": "binary_accuracy"},
}
FUNCTION = {
    "module": "builtins",
    "class_name": "function",
    "config": "mean_squared_error",
    "registered_name": "function",
}


@pytest.mark.parametrize(
    ("given", "loss", "row", "name", "parameters"),
    [
        (KERAS3_LOSS, True, "categorical_crossentropy", "cce", {"label_smoothing": 0.1}),
        (WRAPPED, False, "binary_accuracy", "a_accuracy", {"threshold": 0.5}),
        (FUNCTION, True, "mean_squared_error", "mean_squared_error", {}),
        ({"class_name": "Custom>TopKCategoricalAccuracy", "config": {"k": 3}}, False, "top_k_categorical_accuracy",
         "top_k_categorical_accuracy", {"k": 3}),
        ("MSE", False, "mean_squared_error", "MSE", {}),
    ],
)  # fmt: skip
def test_what_files_say(given: Any, loss: bool, row: str, name: str, parameters: dict[str, Any]) -> None:
    term = resolve(given, (8, 3), (8, 3), 3, loss=loss)
    assert (term.row.name, term.called) == (row, name)
    assert {k: term.parameters[k] for k in parameters} == parameters


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("AUC", "'AUC' has no reference"),
        ("precision", "loss 'precision' has no reference"),
        ({"class_name": "MeanSquaredError", "config": {"reduction": "sum"}}, "reduction 'sum'"),
        ({"class_name": "Huber", "config": {"delta": 1.0, "strange": 2}}, "parameter 'strange'"),
        ({"class_name": "LossFunctionWrapper", "config": {}}, "'\\?' has no reference"),
        (7, "7 is no loss"),
    ],
)
def test_what_is_not_known(given: Any, said: str) -> None:
    with pytest.raises(Unsettled, match=said):
        resolve(given, (8, 3), (8, 3), 3, loss=True)


def test_the_names_that_keras_reports() -> None:
    assert snake_case("TopKCategoricalAccuracy") == "top_k_categorical_accuracy"
    assert (called("Precision", 2), called("Precision", 3)) == ("precision", "Precision")
    assert called({"class_name": "Precision", "config": {"name": "precision_1"}}, 3) == "precision_1"


EARLY = ("1.2.1", "2.0.5", "2.2.4-tf", "2.3.1")
LATE = ("2.3.0-tf", "2.4.0", "3.15.1", "")


@pytest.mark.parametrize(("version", "loss_decided"), [*((v, True) for v in EARLY), *((v, False) for v in LATE)])
def test_when_the_loss_decided_what_accuracy_is(version: str, loss_decided: bool) -> None:
    assert by_loss(version) == loss_decided


A, B = {"class_name": "A", "config": {}}, {"class_name": "B", "config": {}}


@pytest.mark.parametrize(
    ("compiled", "wanted"),
    [
        (Compiled("mse", metrics=["mae", A]), [OutputTerms("mse", None, ("mae", A), ())] * 2),
        (
            Compiled(["mse", None], [0.5, 1], [["mae"], []]),
            [OutputTerms("mse", 0.5, ("mae",), ()), OutputTerms(None, 1, (), ())],
        ),
        (
            Compiled({"b": A}, None, {"a": "mae"}, {"b": [B]}),
            [OutputTerms(None, None, ("mae",), ()), OutputTerms(A, None, (), (B,))],
        ),
    ],
)
def test_structures_by_output(compiled: Compiled, wanted: list[OutputTerms]) -> None:
    assert list(by_output(compiled, ["a", "b"])) == wanted


def test_structures_that_fit_no_output() -> None:
    with pytest.raises(BadInput, match="no output is called 'c'"):
        by_output(Compiled({"c": "mse"}), ["a", "b"])
    with pytest.raises(BadInput, match="does not fit 2 output"):
        by_output(Compiled(["mse", "mse", "mae"]), ["a", "b"])
