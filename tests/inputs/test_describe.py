"""What the report says of the input."""

import numpy as np

from refconv.graph import TensorSpec
from refconv.inputs import Source, describe, prepare


def test_seeded():
    specs = (TensorSpec("x", (None, None, None, 3)),)
    arrays = prepare(specs, None, 2, 7, {}, "none")
    assert describe(specs, arrays, None, 2, 7, "none") == {
        "source": "seeded",
        "samples": 2,
        "seed": 7,
        "preprocess": "none",
        "tensors": [{"name": "x", "dtype": "float32", "shape": [2, 32, 32, 3], "source": "seeded"}],
        "notes": ["input x: (?, ?, ?, 3) fed as (2, 32, 32, 3); --shape changes that"],
    }


def test_a_fixed_batch_is_noted_where_it_changes_what_was_asked():
    specs = (TensorSpec("x", (32, 4)),)
    arrays = prepare(specs, None, 2, 0, {}, "none")
    assert describe(specs, arrays, None, 2, 0, "none")["notes"] == ["input x: the model fixes its batch at 32 samples"]
    assert describe(specs, arrays, None, 32, 0, "none")["notes"] == []


def test_given():
    specs = TensorSpec("a", (None, 1)), TensorSpec("b", (None, 1))
    arrays = [np.zeros((1, 1), np.float32), np.full((1, 1), np.nan, np.float32)]
    found = describe(specs, arrays, {"b": arrays[1], "a": Source("a.npy", 1)}, 2, 0, "unit")
    assert [t["source"] for t in found["tensors"]] == ["a.npy", "array"]
    assert (found["source"], found["seed"], found["samples"]) == ("given", None, 1)
    assert found["notes"] == ["input b: holds NaN or infinity"]
