"""The framework's own predict and evaluate, with what the file or the user says of loss and metrics."""

import json
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from refconv.frameworks.worker import environment
from refconv.frameworks.worker.capture import LayerFailure
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.code import defined_in, demand
from refconv.frameworks.worker.failure import first_line
from refconv.frameworks.worker.loading import Framework, load_model
from refconv.job import Job


def evaluate(framework: Framework, job: Job, channel: Channel) -> None:
    """Send the model's predictions, then every value that `evaluate` reports, or why it reports none.

    Raises:
        LayerFailure: the model cannot be run.
    """
    channel.progress(0, 4, "loading the model")
    model, refused = _compiled(framework, job)
    channel.send("environment", environment=environment.describe(framework))
    x = _packed(framework, model, "inputs", [np.load(path) for path in job.inputs])
    channel.progress(1, 4, "running the model")
    try:
        outputs = framework.flatten(model.predict(x, batch_size=job.batch, verbose=0))
    except Exception as error:
        raise LayerFailure("", error) from error
    for number, output in enumerate(outputs):
        channel.send("plain", np.asarray(output), output=number)
    channel.progress(2, 4, "evaluating the model")
    values: Dict[str, float] = {}
    reason = ""
    try:
        values = _values(framework, model, x, job)
    except Exception as error:  # a loss that does not fit the targets, a metric that Keras cannot run
        reason = _telling(error)
    channel.send("scores", values=values, reason=reason, refused=refused, metrics=_resolved(model))


def _compiled(framework: Framework, job: Job) -> Tuple[Any, str]:
    """The model, and "" or why the loader could not compile it: it is then compiled anew, by the same names."""
    own, reason = defined_in(framework.keras, job.code), ""
    demand(job.foreign, own, framework.keras)
    if job.stored:
        try:
            return load_model(framework, job.model, job.qkeras, own=own, compiled=True), ""
        except Exception as error:  # the model itself may be sound
            reason = first_line(error)
    model = load_model(framework, job.model, job.qkeras, own=own)
    with framework.keras.utils.custom_object_scope(own):
        model.compile(optimizer="sgd", **json.loads(job.compiled))
    return model, reason


def _values(framework: Framework, model: Any, x: Any, job: Job) -> Dict[str, float]:
    targets = _packed(framework, model, "outputs", [_load(path) for path in job.targets])
    weights = [_load(path) for path in job.weights]
    given = _packed(framework, model, "outputs", weights) if any(w is not None for w in weights) else None
    found = model.evaluate(x, targets, sample_weight=given, batch_size=job.batch, verbose=0, return_dict=True)
    return {name: float(np.mean(value)) for name, value in found.items() if np.size(value) == 1}


def _telling(error: Exception) -> str:
    """One line. What Keras 2 raises in a traced function ends with the error, after the lines that led to it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines and lines[0].startswith("in user code") else first_line(error)


def _load(path: str) -> Optional[np.ndarray]:
    return np.load(path) if path else None


def _packed(framework: Framework, model: Any, side: str, leaves: List[Any]) -> Any:
    """Arrays in the structure of the model's inputs or outputs."""
    structure = getattr(model, f"_{side}_struct", getattr(model, f"_nested_{side}", None))
    if isinstance(structure, dict):
        return framework.pack(structure, leaves)
    return leaves[0] if len(leaves) == 1 else leaves


def _resolved(model: Any) -> Dict[str, str]:
    """Name → what the framework made of each metric, as far as it tells."""
    found = {}
    waiting = list(getattr(model, "metrics", ()))
    while waiting:
        metric = waiting.pop(0)
        inner = getattr(metric, "metrics", None)
        if isinstance(inner, (list, tuple)):
            waiting.extend(inner)
            continue
        function = getattr(getattr(metric, "_fn", None), "__name__", "")
        found[str(metric.name)] = function or type(metric).__name__
    return found
