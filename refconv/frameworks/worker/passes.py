"""Which layer calls are returned in which pass, and the tensors of one pass by key."""

from typing import Any, Dict, List, Sequence, Tuple

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

    def group(self, call: CallId) -> int:
        return self._group[call]

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


class Pass:
    """What one run of the model keeps: the calls of one group, each tensor once."""

    def __init__(self, number: int, plan: Plan) -> None:
        self.number = number
        self._plan = plan
        self.begin([])

    def begin(self, inputs: Sequence[Any]) -> None:
        """Start anew: a function may be traced more than once."""
        self.calls: List[Call] = []
        self.tensors: List[Any] = []  # in the order of their keys
        self._keys: Dict[int, str] = {}
        self._counts: Dict[str, int] = {}
        self.inputs = self._name(inputs)

    def number_call(self, layer: str) -> int:
        """The number of this call of `layer`, counted whether or not the call belongs to this pass."""
        count = self._counts.get(layer, 0)
        self._counts[layer] = count + 1
        return count

    def take(self, layer: str, call: int, kind: str, inputs: Sequence[Any], outputs: Sequence[Any], seconds: float) -> None:
        """Keep the call if it belongs to this pass; the first pass plans the others."""
        if not self._plan.complete and (layer, call) not in self._plan:
            self._plan.place((layer, call), [*inputs, *outputs])
        if self._plan.group((layer, call)) == self.number:
            self.calls.append(Call(layer, call, kind, self._name(inputs), self._name(outputs), seconds))

    def _name(self, tensors: Sequence[Any]) -> Tuple[str, ...]:
        return tuple(self._key(tensor) for tensor in tensors)

    def _key(self, tensor: Any) -> str:
        if id(tensor) not in self._keys:
            self._keys[id(tensor)] = "{}:{}".format(self.number, len(self.tensors))
            self.tensors.append(tensor)  # held, so that its identity stays its own
        return self._keys[id(tensor)]
