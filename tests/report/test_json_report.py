"""The JSON report keeps its schema for every kind of result, and says what the result says."""

import json
from importlib.resources import files

import jsonschema
import pytest
from support.results import RESULTS

from refconv.report.json_report import render

SCHEMA = json.loads((files("refconv.report") / "check.schema.json").read_text())


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_keeps_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(render(RESULTS[name])), SCHEMA)


@pytest.mark.parametrize("change", [{"verdict": "fine"}, {"surplus": 1}, {"schema": 2}, {"counts": {}}])
def test_the_schema_refuses_what_is_no_report(change: dict) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(render(RESULTS["pass"])), **change}, SCHEMA)


def test_what_it_says() -> None:
    found = json.loads(render(RESULTS["fail"]))
    assert (found["verdict"], found["counts"]["mismatch"], found["model"]["path"]) == ("fail", 1, "model.h5")
    (layer,) = found["layers"]
    assert (layer["bound_used"], layer["failing"]) == ("inf", 3)
    assert layer["worst"] == {"index": [0, 2, 1], "expected": 1.5, "got": 1.75, "allowed": 2e-6}


def test_several_outputs_and_weights() -> None:
    assert [o["verdict"] for o in json.loads(render(RESULTS["two outputs"]))["layers"][0]["outputs"]] == [
        "within",
        "exact",
    ]
    assert "outputs" not in json.loads(render(RESULTS["pass"]))["layers"][0]
    assert json.loads(render(RESULTS["weights"]))["layers"][0]["weights"]["kernel"]["verdict"] == "mismatch"


def test_a_step_that_decides_is_named() -> None:
    (layer,) = json.loads(render(RESULTS["a step"]))["layers"]
    assert (layer["step"], layer["failing"]) == ("c", 3)
    assert ["step" in output for output in layer["outputs"]] == [False, True]


def test_numbers_that_json_lacks_are_text() -> None:
    (layer,) = json.loads(render(RESULTS["not finite"]))["layers"]
    assert (layer["max_abs_error"], layer["chained"]) == ("nan", {"max_abs_error": "inf", "sqnr_db": "-inf"})
