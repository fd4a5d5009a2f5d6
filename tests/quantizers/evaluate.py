"""Runs QKeras on arrays, one request per line of standard input, in a process that chose Keras 2 before TensorFlow.

A request is JSON: `name` and `config` of a quantizer (or `string`, for QKeras's own reader), `input` and `output`, the
paths of .npy files, `kernel` (as a layer prepares it for a kernel), `sigmoid` (QKeras's process-wide choice), `graph`
(inside a traced function: true, "variable" for one that reads the input from a variable, or "xla"). The answer is JSON
too: `error`, or the path of another .npy file as `scale`.
"""

import inspect
import json
import os
import sys

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import numpy as np
import tensorflow as tf
from qkeras import quantizers


def quantizer(request):
    if "string" in request:
        return quantizers.get_quantizer(request["string"])
    found = getattr(quantizers, request["name"])
    return found(**request["config"]) if inspect.isclass(found) else found


def evaluate(request):
    quantizers.set_internal_sigmoid(request.get("sigmoid", "hard"))
    q = quantizer(request)
    if request.get("kernel"):
        q._set_trainable_parameter()
    x = tf.constant(np.load(request["input"]))
    y = traced(q, x, request["graph"]) if request.get("graph") else q(x)
    np.save(request["output"], y.numpy())
    scale = None if request.get("graph") else getattr(q, "scale", None)
    if scale is None or not np.shape(scale):
        return {}
    np.save(request["output"] + ".scale.npy", np.asarray(scale))
    return {"scale": request["output"] + ".scale.npy"}


def traced(q, x, how):
    if how == "variable":
        held = tf.Variable(x)
        return tf.function(lambda: q(held))()
    return tf.function(q, jit_compile=how == "xla" or None)(x)


def describe(request):
    """Parameters in order with their defaults, and what `get_config` keeps."""
    cls = getattr(quantizers, request["describe"])
    signature = inspect.signature(cls).parameters
    return {"parameters": {k: v.default for k, v in signature.items()}, "config": cls().get_config()}


def exported():
    """Every quantizer that the installed release has."""
    found = vars(quantizers).values()
    base = quantizers.BaseQuantizer
    return {"quantizers": [c.__name__ for c in found if inspect.isclass(c) and issubclass(c, base) and c is not base]}


def answer_to(request):
    if "exported" in request:
        return exported()
    return describe(request) if "describe" in request else evaluate(request)


ANSWERS = sys.stdout
sys.stdout = sys.stderr  # QKeras and Keras may print; only answers go to the pipe
for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = answer_to(asked)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=ANSWERS, flush=True)
