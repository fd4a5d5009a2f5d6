"""What a worker does: capture what a model computes, evaluate it, or tell what it could run with."""

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from refconv.frameworks.worker import environment
from refconv.frameworks.worker.backends import NoDevice
from refconv.frameworks.worker.capture import Session, capture
from refconv.frameworks.worker.channel import Channel
from refconv.frameworks.worker.code import defined_in, demand
from refconv.frameworks.worker.evaluating import evaluate
from refconv.frameworks.worker.failure import explain
from refconv.frameworks.worker.loading import Framework, load_model
from refconv.frameworks.worker.probes import send_probes
from refconv.job import Job

Fed = Callable[[Any], List[np.ndarray]]

<<<<<<< HEAD
def work(framework: Framework, job: Job, channel: Channel) -> None:
    """Load the job's model, run it, send what every layer computed and the environment it ran in."""
    framework.backend.prepare(job.device, job.tf32, job.deterministic)
    if job.mode not in framework.backend.modes:
        raise NoDevice(f"{framework.backend.title} has no {job.mode} mode", "--mode " + framework.backend.modes[0])
=======

def work(framework: Framework, job: Job, channel: Any, fed: Optional[Fed] = None) -> None:
    """Load the job's model, run it, send what every layer computed and the environment it ran in.

    Args:
        channel: a Channel, or what sends elsewhere.
        fed: gives what the loaded model is fed; None for the job's files.
    """
    choose_device(framework.tf, job.device)
>>>>>>> trace
    if job.targets:
        evaluate(framework, job, channel)
        return
    before = environment.global_state(framework)
    channel.progress(0, 4, "loading the model")
    own = defined_in(framework.keras, job.code)
    demand(job.foreign, own, framework.keras)
    model = load_model(framework, job.model, job.qkeras, job.architecture, own)
    after = environment.global_state(framework)
    inputs = fed(model) if fed else [np.load(path) for path in job.inputs]
    session = Session(framework, model, inputs, job.mode, job.whole)
    found = environment.describe(framework)
    found.update(after, state_before=before, state_after=after, state_changed=before != after)
    found.update(mode=job.mode, device=job.device, repeat=job.repeat, **_of_model(model, job.mode))
    channel.send("environment", environment=found)

    def probed() -> None:
        if job.probes:
            send_probes(session, channel)

    capture(session, job.budget, channel, job.slice, probed, job.repeat)


def _of_model(model: Any, mode: str) -> Dict[str, Any]:
    """How `predict` compiled this model, and the policy that it computes in."""
    # Keras 3 decides by itself whether predict uses XLA; Keras 2 has no such property before compile.
    jit = mode == "xla" or (mode == "graph" and bool(getattr(model, "jit_compile", False)))
    policy = getattr(model, "dtype_policy", None)
    return {"plain_jit": jit, "model_dtype_policy": getattr(policy, "name", "")}


def probe(framework: Any, channel: Channel) -> None:
    """Tell the environment of an imported framework, or why it could not be imported."""
    if isinstance(framework, Exception):
        channel.send("probe", usable=False, reason=explain(framework)["what"], environment={})
        return
    found = environment.describe(framework)
    found.update(environment.global_state(framework))
    channel.send("probe", usable=True, reason="", environment=found)
