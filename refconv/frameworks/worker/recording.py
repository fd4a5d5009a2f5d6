"""Wraps the `call` of every leaf layer of a model, and takes the wrappers off again."""

import functools
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

<<<<<<< HEAD
from refconv.frameworks.worker.backends.base import as_is
=======
from refconv.frameworks.worker.ages import converts
>>>>>>> trace
from refconv.frameworks.worker.passes import Pass
from refconv.frameworks.worker.quantized import drawn_once, effective_weights
from refconv.frameworks.worker.steps import Steps

# Arguments that steer a call and are no data of its equation.
STEERING = ("mask", "training", "query_mask", "value_mask", "key_mask", "attention_mask")


class Reached(BaseException):
    """The layer to stop at has been reached; no Exception, so that no framework rewrites or swallows it."""


class Recorder:
    """Hears every call of a leaf layer while `listening`.

    A leaf is a layer that is no model with layers of its own; a layer that a leaf calls belongs to that leaf.
    A path names the models that are being called: the same layer in two models has two paths.

    Attributes:
        failed: path of the innermost layer or model whose call raised, "" if none.
        layers: the leaf layer behind each path.
        scopes: name scope of each call in the traced graph, with the path of its layer.
        stop_at: path of a layer to stop before.

    Args:
        whole: the model itself is the one leaf, with this path; "" where its layers are.
    """

    def __init__(self, framework: Any, model: Any, whole: str = "") -> None:
        self._framework, self._backend, self._keras = framework, framework.backend, framework.keras
        self._model, self._whole = model, whole
        self._models: List[str] = []
        self._pass: Optional[Pass] = None
        self._graph: Any = None
        self.failed = ""
        self.stop_at = ""
        self.layers: Dict[str, Any] = {}
        self.scopes: Dict[str, str] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Wrap all calls; whatever happens, the layers are afterwards as they were."""
        before = []
        try:
            for layer, wrap in self._wrappers():
                before.append((layer, vars(layer).get("call")))
                # Not by setattr: Keras tracks and may refuse attributes.
                vars(layer)["call"] = wrap(layer, layer.call)
            yield
        finally:
            for layer, call in before:
                vars(layer).pop("call") if call is None else vars(layer).update(call=call)

    @contextmanager
    def listening(self, record: Pass, inputs: List[Any]) -> Iterator[None]:
        """Give the calls made inside to `record`."""
        self._pass, self._graph, self._models, self.failed = record, self._backend.graph(), [], ""
        record.begin(inputs)
        try:
            yield
        finally:
            self._pass = None

    def _wrappers(self) -> Iterator[Tuple[Any, Callable[..., Any]]]:
        if self._whole:
            yield self._model, self._wrap_leaf
            return
        seen = {id(self._model)}
        waiting = _children(self._model)
        while waiting:
            layer = waiting.pop()
            if id(layer) in seen or isinstance(layer, self._keras.layers.InputLayer):
                continue
            seen.add(id(layer))
            nested = isinstance(layer, self._keras.Model) and _children(layer)
            waiting.extend(nested or [])
            yield layer, self._wrap_model if nested else self._wrap_leaf

    def _wrap_model(self, model: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._models.append(model.name)
            try:
                with self._blaming("/".join(self._models)):
                    return self._backend.converted(model, original)(*args, **kwargs)
            finally:
                self._models.pop()

        return _disguised(call, original)

    def _wrap_leaf(self, layer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            run = self._backend.converted(layer, original)
            # Inside a loop or a branch of the graph tensors cannot leave: the layer around it is recorded.
            if self._pass is None or self._backend.graph() != self._graph:
                return run(*args, **kwargs)
            return self._record(self._pass, layer, run, args, kwargs)

        return _disguised(call, original)

    def _record(
        self, record: Pass, layer: Any, run: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Any:
        self._pass = None  # what a leaf calls is not recorded
        steps = Steps(self._framework)
        try:
            path = self._whole or "/".join([*self._models, layer.name])
            self._before(path)
            self.layers[path] = layer
            start = time.perf_counter()
            with self._blaming(path), drawn_once(layer):
                outputs = self._backend.settled(steps.run(layer, run, args, kwargs))
                seconds = time.perf_counter() - start if self._graph is None else 0.0
                weights = effective_weights(layer)
        finally:
            self._pass = record
        record.take(
            path,
            type(layer).__name__,
            self._data(layer, args, kwargs),
            self._tensors(outputs),
            seconds,
            weights,
            steps.found,
        )
        return outputs

    def _before(self, path: str) -> None:
        if path == self.stop_at:
            raise Reached
        if self._graph is not None:
            self.scopes[self._backend.scope()] = path

    @contextmanager
    def _blaming(self, path: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.failed = self.failed or path
            raise

<<<<<<< HEAD
=======
    def _as_keras_would(self, layer: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        """The original call, converted by autograph where Keras 2 converts it (see Layer._autographed_call)."""
        if self._tf.executing_eagerly() or not converts(layer):
            return original
        autograph = self._tf.__internal__.autograph
        return autograph.tf_convert(original, autograph.control_status_ctx())

    def _current_graph(self) -> Any:
        return None if self._tf.executing_eagerly() else self._tf.compat.v1.get_default_graph()

>>>>>>> trace
    def _data(self, layer: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> List[Any]:
        """The tensors that a call is given, but for those that the model was built with: constants of an operator."""
        leaves, constant = self._leaves(args, kwargs), set()
        for called in map(_arguments, getattr(layer, "_inbound_nodes", ())):
            built = self._leaves(*called)
            if len(built) == len(leaves):
                constant = {i for i, leaf in enumerate(built) if not hasattr(leaf, "_keras_history")}
                break
        return [leaf for i, leaf in enumerate(leaves) if i not in constant and self._backend.is_tensor(leaf)]

    def _leaves(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> List[Any]:
        data = [value for name, value in kwargs.items() if name not in STEERING]
        return list(self._backend.flatten((args, data)))

    def _tensors(self, structure: Any) -> List[Any]:
        return [leaf for leaf in self._backend.flatten(structure) if self._backend.is_tensor(leaf)]


def _children(model: Any) -> List[Any]:
    """The layers of a model, and in Keras 3 also the operations of its graph (x + y, ops.concatenate …)."""
    return list(getattr(model, "operations", None) or model.layers)


def _arguments(node: Any) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
    """What a layer was called with when the model was built: Keras 3 keeps it beside the node, Keras 2 in it."""
    held = getattr(node, "arguments", None)
    if held is not None:
        return tuple(held.args), dict(held.kwargs)
    return tuple(getattr(node, "call_args", ())), dict(getattr(node, "call_kwargs", {}))


def _disguised(call: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    return as_is(functools.wraps(original)(call))
