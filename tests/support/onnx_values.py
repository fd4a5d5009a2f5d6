"""ONNX's functions, normalization, products and merges through refconv's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from support.one import run
from support.onnx_windows import Attributes, Given, Unfit, array, as_enclosure

from refconv.numerics.enclosure import Enclosure, join


def function(name: str, **parameters: str) -> Any:
    """Activation `name`; `parameters`: refconv's name → ONNX's attribute."""

    def apply(a: Attributes, x: Given) -> Enclosure:
        given = {own: a[theirs] for own, theirs in parameters.items() if theirs in a}
        return run("Activation", {"activation": {"name": name, "parameters": given}}, x)

    return apply


def along(name: str) -> Any:
    """Softmax or its logarithm over one axis; before opset 13 it is over all axes from the given one on."""

    def apply(a: Attributes, x: Given) -> Enclosure:
        e = as_enclosure(x)
        axis = a.get("axis", -1 if a["opset"] >= 13 else 1)
        if a["opset"] < 13 and axis % e.mid.ndim != e.mid.ndim - 1:
            raise Unfit("Keras has no softmax over several axes taken as one")
        return run("Activation", {"activation": {"name": name, "parameters": {"axis": axis}}}, e)

    return apply


def celu(a: Attributes, x: Given) -> Enclosure:
    if as_enclosure(x).mid.dtype.kind == "f" and getattr(x, "dtype", np.dtype(np.float32)).itemsize < 4:
        raise Unfit("every step rounded to 16 bits by NumPy, as no kernel does")
    return function("celu", alpha="alpha")(a, x)


def selu(a: Attributes, x: Given) -> Enclosure:
    if abs(a.get("alpha", 1.67326319) - 1.67326319) > 1e-6 or abs(a.get("gamma", 1.05070102) - 1.05070102) > 1e-6:
        raise Unfit("Keras's selu has constants of its own")
    return run("Activation", {"activation": "selu"}, x)


def hard_sigmoid(a: Attributes, x: Given) -> Enclosure:
    """Keras 2's has ONNX's defaults."""
    if (a.get("alpha", 0.2), a.get("beta", 0.5)) != (0.2, 0.5):
        raise Unfit("Keras's hard_sigmoid has constants of its own")
    return run("Activation", {"activation": "hard_sigmoid_keras2"}, x)


def gelu(a: Attributes, x: Given) -> Enclosure:
    given = {"approximate": a.get("approximate", "none") == "tanh"}
    return run("Activation", {"activation": {"name": "gelu", "parameters": given}}, x)


def leaky(a: Attributes, x: Given) -> Enclosure:
    return run("LeakyReLU", {"negative_slope": a.get("alpha", 0.01)}, x)


def prelu(a: Attributes, x: Given, slope: np.ndarray) -> Enclosure:
    """ONNX's slope may differ by sample, Keras's may not: the batch is made an axis like others.

    PyTorch's, before opset 7, has one slope per channel and no axes behind.
    """
    e = as_enclosure(x).move(lambda v: v[None])
    if a["opset"] < 7 and slope.size > 1:
        slope = slope.reshape(-1, *[1] * (e.mid.ndim - 3))
    alpha = slope.reshape((1,) * (e.mid.ndim - 1 - slope.ndim) + slope.shape) if slope.ndim else slope.reshape(())
    shared = [axis for axis in range(1, e.mid.ndim) if alpha.shape[axis - 1] == 1 < e.mid.shape[axis]]
    return run("PReLU", {"shared_axes": shared or None}, e, alpha=alpha).move(lambda v: v[0])


def shrink(a: Attributes, x: Given) -> Enclosure:
    threshold, bias = a.get("lambd", 0.5), a.get("bias", 0.0)
    if bias not in (0.0, threshold):
        raise Unfit("Keras shrinks by the threshold or not at all")
    name = "soft_shrink" if bias else "hard_shrink"
    return run("Activation", {"activation": {"name": name, "parameters": {"threshold": threshold}}}, x)


def batch_normalization(a: Attributes, x: Given, *statistics: np.ndarray) -> Enclosure:
    if a.get("training_mode"):
        raise Unfit("inference only")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    config = {"axis": 1, "epsilon": a.get("epsilon", 1e-5)}
    return run("BatchNormalization", config, x, **dict(zip(names, statistics, strict=True)))


def layer_normalization(a: Attributes, x: Given, gamma: np.ndarray, beta: np.ndarray | None = None) -> Enclosure:
    """Over the given axis and all behind it; a batch stands in front, since ONNX's may be normalized too."""
    e = as_enclosure(x).move(lambda v: v[None])
    first = a.get("axis", -1) % (e.mid.ndim - 1) + 1
    config = {"axis": list(range(first, e.mid.ndim)), "epsilon": a.get("epsilon", 1e-5), "center": beta is not None}
    held = {"gamma": gamma} | ({} if beta is None else {"beta": beta})
    return run("LayerNormalization", config, e, **held).move(lambda v: v[0])


def group_normalization(a: Attributes, x: Given, gamma: np.ndarray, beta: np.ndarray) -> Enclosure:
    """Of InstanceNormalization, which names no groups, each channel is one."""
    config = {"groups": a.get("num_groups", gamma.size), "axis": 1, "epsilon": a.get("epsilon", 1e-5)}
    return run("GroupNormalization", config, x, gamma=gamma, beta=beta)


def matmul(a: Attributes, x: Given, kernel: Given) -> Enclosure:
    """Dense without a bias; a stack of products is one layer each, a vector a matrix of one row or column."""
    e, w = as_enclosure(x), array(kernel)
    rows = e if e.mid.ndim > 1 else e.move(lambda v: v[None])
    columns = w if w.ndim > 1 else w[:, None]
    stack = np.broadcast_shapes(rows.mid.shape[:-2], columns.shape[:-2])
    left = rows.move(lambda v: np.broadcast_to(v, (*stack, *v.shape[-2:])))
    right = np.broadcast_to(columns, (*stack, *columns.shape[-2:]))
    made = [dense(left.move(lambda v, at=at: v[at]), right[at]) for at in np.ndindex(*stack)]
    whole = join(lambda parts: np.stack(parts).reshape(*stack, *parts[0].shape), tuple(made))
    drop = ([-2] if e.mid.ndim == 1 else []) + ([-1] if w.ndim == 1 else [])
    return whole.move(lambda v: v.squeeze(tuple(drop)))


def dense(x: Enclosure, kernel: np.ndarray, bias: np.ndarray | None = None) -> Enclosure:
    held = {"kernel": kernel} | ({} if bias is None else {"bias": bias})
    return run("Dense", {"units": kernel.shape[-1], "use_bias": bias is not None}, x, **held)


def gemm(a: Attributes, x: Given, kernel: np.ndarray, c: Given | None = None) -> Enclosure:
    """αAB + βC: Dense with a bias where C is one; else factors and summand are layers of their own."""
    e = as_enclosure(x).move(lambda v: v.T) if a.get("transA") else as_enclosure(x)
    kernel, alpha, beta = kernel.T if a.get("transB") else kernel, a.get("alpha", 1.0), a.get("beta", 1.0)
    if alpha == beta == 1.0 and isinstance(c, np.ndarray) and c.size == kernel.shape[-1]:
        return dense(e, kernel, c.ravel())
    product = scaled(dense(e, kernel), alpha)
    if c is None or not beta:
        return product
    return merge("Add")(a, product, scaled(as_enclosure(c), beta))


def scaled(e: Enclosure, factor: float) -> Enclosure:
    return e if factor == 1.0 else run("Rescaling", {"scale": factor, "offset": 0.0}, e)


def merge(row: str) -> Callable[..., Enclosure]:
    """A merging layer, with a batch in front; opset 6 aligns the second tensor with an axis of the first."""

    def apply(a: Attributes, *given: Given) -> Enclosure:
        parts = [as_enclosure(x) for x in given]
        if len(parts) == 1:
            raise Unfit("Keras merges at least two tensors")
        if a["opset"] < 7 and "axis" in a:
            parts[1] = _aligned(parts[1], a["axis"], parts[0].mid.ndim)
        return run(row, {}, *(p.move(lambda v: v[None]) for p in parts)).move(lambda v: v[0])

    return apply


def _aligned(e: Enclosure, axis: int, rank: int) -> Enclosure:
    return e.move(lambda v: v.reshape(*v.shape, *[1] * (rank - axis - v.ndim)))


def concatenate(a: Attributes, *given: Given) -> Enclosure:
    return run("Concatenate", {"axis": a["axis"]}, *map(as_enclosure, given))


def transpose(a: Attributes, x: Given) -> Enclosure:
    """Permute leaves the batch alone, so that there is one more in front."""
    e = as_enclosure(x)
    order = a.get("perm", list(range(e.mid.ndim))[::-1])
    return run("Permute", {"dims": [n + 1 for n in order]}, e.move(lambda v: v[None])).move(lambda v: v[0])


def flatten(a: Attributes, x: Given) -> Enclosure:
    if a.get("axis", 1) % as_enclosure(x).mid.ndim != 1:
        raise Unfit("Keras flattens everything but the batch")
    return run("Flatten", {}, x)


def embedding(a: Attributes, table: np.ndarray, rows: np.ndarray) -> Enclosure:
    config = {"input_dim": table.shape[0], "output_dim": table.shape[1]}
    return run("Embedding", config, rows, embeddings=table)


def unsqueeze(a: Attributes, x: Given) -> Enclosure:
    return as_enclosure(x).move(lambda v: np.expand_dims(v, tuple(a["axes"])))


def squeeze(a: Attributes, x: Given) -> Enclosure:
    return as_enclosure(x).move(lambda v: v.squeeze(tuple(a["axes"])))


def glu(split: Attributes, x: Given) -> Enclosure:
    return run("Activation", {"activation": {"name": "glu", "parameters": {"axis": split["axis"]}}}, x)


# What PyTorch wrote as several operators, and is one function of Keras: of the first one's attributes and the input.
TOGETHER = {
    ("Split", "Sigmoid", "Mul"): glu,
    ("Abs", "Constant", "Add", "Div"): function("softsign"),
}
ADAPTERS: dict[str, Callable[..., Any]] = {
    "Relu": function("relu"),
    "LeakyRelu": leaky,
    "Elu": lambda a, x: run("ELU", {"alpha": a.get("alpha", 1.0)}, x),
    "Celu": celu,
    "Selu": selu,
    "Sigmoid": function("sigmoid"),
    "HardSigmoid": hard_sigmoid,
    "HardSwish": function("hard_silu"),
    "Swish": function("silu"),
    "Gelu": gelu,
    "Mish": function("mish"),
    "Softplus": function("softplus"),
    "Softsign": function("softsign"),
    "Tanh": function("tanh"),
    "Exp": function("exponential"),
    "PRelu": prelu,
    "ThresholdedRelu": lambda a, x: run("ReLU", {"threshold": a.get("alpha", 1.0)}, x),
    "Shrink": shrink,
    "Softmax": along("softmax"),
    "LogSoftmax": along("log_softmax"),
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": group_normalization,
    "MatMul": matmul,
    "Gemm": gemm,
    "Add": merge("Add"),
    "Sum": merge("Add"),
    "Sub": merge("Subtract"),
    "Mul": merge("Multiply"),
    "Max": merge("Maximum"),
    "Min": merge("Minimum"),
    "Mean": merge("Average"),
    "Concat": concatenate,
    "Transpose": transpose,
    "Flatten": flatten,
    "Gather": embedding,
    "Neg": lambda a, x: scaled(as_enclosure(x), -1.0),
    "Constant": lambda a: np.asarray(a["value"]),
    "Unsqueeze": unsqueeze,
    "Squeeze": squeeze,
}
