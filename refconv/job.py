"""What a worker is asked to do. Standard library only, and Python 3.8: the worker carries this file along."""

import json
from dataclasses import asdict, dataclass, field
from typing import List

MODES = ("graph", "eager", "xla")


@dataclass(frozen=True)
class Job:
    """One capture.

    Attributes:
        model: path of the model file.
        keras: major version of Keras to load it with, 2 or 3.
        inputs: one .npy path per model input, in the model's order.
        mode: one of MODES.
        device: auto, cpu or gpu.
        qkeras: the file holds QKeras layers.
        budget: bytes of layer outputs and inputs that one pass may return at once.
        architecture: path of the model's JSON where `model` holds weights alone; "" otherwise.
        probes: also run a clone of every linear layer on small integers.
        slice: samples whose layers are recorded together; 0 for all.
        code: files of the user's, imported before the model is loaded, for the classes that they define.
        foreign: names that the model file uses and Keras does not have: the files in `code` must define them.
        whole: record the model itself as one layer of this name, and nothing inside; "" for its layers.
        targets: one .npy path per model output ("" for none): the model is evaluated on them instead of recorded.
        weights: one .npy path per model output, of sample weights ("" for none).
        batch: samples per batch of an evaluation.
        compiled: JSON of what to compile the model with.
        stored: the file says that itself: it is compiled as it is loaded, if it can be.
    """

    model: str
    keras: int
    inputs: List[str]
    mode: str = "graph"
    device: str = "auto"
    budget: int = 1 << 30
    qkeras: bool = False
    probes: bool = False
    architecture: str = ""
    slice: int = 0
    code: List[str] = field(default_factory=list)
    whole: str = ""
    foreign: List[str] = field(default_factory=list)
    targets: List[str] = field(default_factory=list)
    weights: List[str] = field(default_factory=list)
    batch: int = 32
    compiled: str = "{}"
    stored: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Job":
        return Job(**json.loads(text))
