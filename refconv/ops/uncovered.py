"""Layer classes of Keras that have no row, and why: `refconv layers` shows them beside those that have one.

A class that gets a row, or that a dialect turns into one, goes from here: `tests/inventory/test_coverage.py` demands
that every public layer of the installed Keras versions stands on exactly one side.
"""

from __future__ import annotations

from collections.abc import Mapping

BASE = "a base class: files hold layers made of it"
CELL = "a cell: read as part of its layer; no reference for RNN around cells"
CODE = "holds code or a model of another library, which refconv does not run"
CATEGORIES = "looks up, hashes or counts categories: nothing to round"
MEL = (
    "no reference yet: its transform's error is known only against a frame's energy, "
    "which in decibels bounds no quiet bin"
)
BOXES = "changes bounding boxes, not the tensor that a model goes on with"

UNCOVERED: Mapping[str, str] = {
    "InputLayer": "the model's input: given, not computed",
    "InputSpec": "no layer: what a layer demands of its inputs",
    **dict.fromkeys(("AbstractRNNCell", "Layer", "Wrapper"), BASE),
    "RNN": "a loop around any cell, also a user's own",
    **dict.fromkeys(("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"), CELL),
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"), CODE),
    **dict.fromkeys(
        (
            "CategoryEncoding",
            "DenseFeatures",
            "Discretization",
            "HashedCrossing",
            "Hashing",
            "IntegerLookup",
            "StringLookup",
            "TextVectorization",
        ),
        CATEGORIES,
    ),
    "MaxNumBoundingBoxes": BOXES,
    "Equalization": "no reference yet: documented to act at inference too, where Keras 3.15 gives back its input",
    "MelSpectrogram": MEL,
}
