"""Which layer calls are returned in which pass, and the tensors of one pass by key."""

import weakref
from collections import Counter
from itertools import count
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from refconv.trace import Call

CallId = Tuple[str, int]  # path of the layer, number of its call


class Plan:
    """Groups calls in the order in which they are met, each group's tensors within a budget of bytes.

    A call whose tensors alone exceed the budget gets a group of its own. Tensors are known by identity; those of
    the group being filled are held, because the identity of a dropped tensor may be given to another one.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._group: Dict[CallId, int] = {}
        self._held: Dict[int, Any] = {}
        self._used = 0
        self._largest = 1
        self.complete = False
        self.count = 1

    def __contains__(self, call: CallId) -> bool:
        return call in self._group

    @property
    def calls(self) -> Dict[str, int]:
        """Layer → how many calls of it are planned."""
        return dict(Counter(layer for layer, _ in self._group))

    def group(self, call: CallId) -> int:
        """The number of the group of `call`; -1 if the pass that planned did not meet it."""
        return self._group.get(call, -1)

    def place(self, call: CallId, tensors: Sequence[Any]) -> int:
        """The number of the group that `call` belongs to, which takes and returns `tensors`."""
        if self._used and self._used + self._cost(tensors) > self._budget:
            self._held, self._used = {}, 0
            self.count += 1
        self._used += self._cost(tensors)
        self._held.update((id(tensor), tensor) for tensor in tensors)
        self._group[call] = self.count - 1
        return self.count - 1

    def _cost(self, tensors: Sequence[Any]) -> int:
        fresh = {id(tensor): tensor for tensor in tensors if id(tensor) not in self._held}
        return sum(self._bytes(tensor) for tensor in fresh.values())

    def _bytes(self, tensor: Any) -> int:
        """Size in bytes; a tensor of unknown shape is taken to be as large as the largest one known."""
        elements = tensor.shape.num_elements()
        size = self._largest if elements is None else elements * max(tensor.dtype.size, 1)
        self._largest = max(self._largest, size)
        return size


class Passes:
    """The passes of one plan, in order. Those of a second slice of the samples are the same ones again."""

    def __init__(self, budget: int) -> None:
        self.budget, self.plan = budget, Plan(budget)
        self._made: List[Pass] = []

    def __iter__(self) -> Iterator["Pass"]:
        for number in count():
            if number == self.plan.count:
                return
            if number == len(self._made):
                self._made.append(Pass(number, self.plan))
            yield self._made[number]


class Pass:
    """What one run of the model keeps: the calls of one group, each tensor once.

    A key is "pass:number"; the number counts the tensors of all calls, kept or not, so that it names the same
    tensor of the model in every pass.
    """

    def __init__(self, number: int, plan: Plan) -> None:
        self.number = number
        self._plan = plan
        self.begin([])

    def begin(self, inputs: Sequence[Any]) -> None:
        """Start anew: a function may be traced more than once."""
        self.calls: List[Call] = []
        self.tensors: Dict[str, Any] = {}  # by key
        self._numbers: Dict[int, Tuple[int, Any]] = {}
        self._counted = 0
        self._calls: Dict[str, int] = {}
        self.inputs = self._keep(inputs)

    def take(
        self,
        layer: str,
        kind: str,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        seconds: float = 0.0,
        weights: Optional[Dict[str, Any]] = None,
        steps: Optional[Dict[str, Any]] = None,
    ) -> None:
        """Keep the call if it belongs to this pass; the first pass plans the others."""
        call, weights, steps = (layer, self._calls.get(layer, 0)), weights or {}, steps or {}
        self._calls[layer] = call[1] + 1
        tensors = [*inputs, *outputs, *weights.values(), *steps.values()]
        if not self._plan.complete and call not in self._plan:
            self._plan.place(call, tensors)
        if self._plan.group(call) == self.number:
            given, got = self._keep(inputs), self._keep(outputs)
            named = [tuple(zip(held, self._keep(list(held.values())))) for held in (weights, steps)]
            self.calls.append(Call(layer, call[1], kind, given, got, seconds, *named))
        else:
            for tensor in tensors:
                self._key(tensor)

    def forget(self) -> None:
        """Drop the tensors, and keep what they are called."""
        self.tensors = dict.fromkeys(self.tensors)

    def _keep(self, tensors: Sequence[Any]) -> Tuple[str, ...]:
        keys = tuple(self._key(tensor) for tensor in tensors)
        self.tensors.update(zip(keys, tensors))
        return keys

    def _key(self, tensor: Any) -> str:
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = (self._counted, self._forget_with(tensor))
            self._counted += 1
        return f"{self.number}:{self._numbers[id(tensor)][0]}"

    def _forget_with(self, tensor: Any) -> Any:
        """A reference that drops the tensor's number when the tensor dies: its identity may then be another's."""
        numbers, identity = self._numbers, id(tensor)
        return weakref.ref(tensor, lambda _: numbers.pop(identity, None))
