"""Crafted configurations: how calls are read, ordered and counted, and what is refused."""

import json
from typing import Any

import pytest
from support.crafted import BIAS, KERNEL, called, dense, functional, layer, places, sequential, source, write_h5

from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.formats.inbound import TensorRef, read_call, read_references
from refconv.graph import Ref

SQUARE = KERNEL.reshape(3, 4)[:, :3].copy()


def weights(*names: str) -> dict[str, dict[str, Any]]:
    return {name: {f"{name}/kernel:0": SQUARE, f"{name}/bias:0": BIAS} for name in names}


def square(name: str, *nodes: Any) -> dict[str, Any]:
    return called(dense(name, 3), *nodes)


def ref(name: str, call: int = 0, output: int = 0) -> list[Any]:
    return [name, call, output, {}]


def start(name: str = "x") -> dict[str, Any]:
    return called(source(name, (None, 3)))


def names(graph) -> list[str]:
    return [node.name for node in graph.nodes]


class TestInbound:
    def test_keras2_forms(self):
        one = TensorRef("a", 0, 0)
        assert read_call([["a", 0, 0, {}]], "").inputs == (one,)
        assert read_call(["a", 0, 0, {}], "").inputs == (one,)
        assert read_call([["a", 0, 0], ["b", 1, 2]], "").inputs == (one, TensorRef("b", 1, 2))
        assert read_call({"right": ["b", 0, 0], "left": ["a", 0, 0]}, "").inputs == (one, TensorRef("b", 0, 0))

    def test_keras2_arguments(self):
        call = read_call([["q", 0, 0, {"value": ["v", 0, 1], "axis": [1, 2], "name": None}]], "")
        assert call.arguments == {"value": TensorRef("v", 0, 1), "axis": [1, 2], "name": None}
        assert call.references == [TensorRef("q", 0, 0), TensorRef("v", 0, 1)]
        assert read_call([["_CONSTANT_VALUE", -1, 2.5, {}], ["a", 0, 0, {}]], "").arguments == {"constant_0": 2.5}

    def test_keras3_forms(self):
        def tensor(name):
            return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}

        a, b = TensorRef("a", 0, 0), TensorRef("b", 0, 0)
        assert read_call({"args": [tensor("a")], "kwargs": {}}, "").inputs == (a,)
        assert read_call({"args": [[tensor("a"), tensor("b")]], "kwargs": {}}, "").inputs == (a, b)
        assert read_call({"args": [{"z": tensor("b"), "y": tensor("a")}], "kwargs": {}}, "").inputs == (a, b)
        assert read_call({"args": [], "kwargs": {"inputs": [tensor("a"), tensor("b")]}}, "").inputs == (a, b)
        mixed = read_call({"args": [tensor("a"), 2.0], "kwargs": {"mask": tensor("b")}}, "")
        assert (mixed.inputs, mixed.arguments) == ((a,), {"argument_1": 2.0, "mask": b})

    @pytest.mark.parametrize("node", [3, None, [], "x", [["a", "0", 0]], {"args": 3}, {"args": [], "kwargs": {}}])
    def test_neither(self, node):
        with pytest.raises(UnreadableModel):
            read_call(node, "layer")

    def test_structures_of_references(self):
        assert read_references(["a", 0, 0], "") == (TensorRef("a", 0, 0),)
        assert read_references({"z": ["a", 0, 0], "b": [["c", 0, 1]]}, "") == (
            TensorRef("c", 0, 1),
            TensorRef("a", 0, 0),
        )
        with pytest.raises(UnreadableModel, match="no reference"):
            read_references([3], "output_layers")


class TestOrder:
    def test_a_shared_layer_at_two_depths(self, tmp_path):
        """same(x), then same(between(same(x))): calls are counted in the order in which they run."""
        layers = [
            start(),
            square("same", [ref("x")], [ref("between")]),
            square("between", [ref("same")]),
        ]
        config = functional(layers, [["x", 0, 0]], [["same", 1, 0]])
        graph = load(write_h5(tmp_path / "m.h5", config, weights("same", "between")))
        assert names(graph) == ["x", "same", "between", "same#1"]
        assert [node.inputs for node in graph.nodes] == [(), (Ref(0),), (Ref(1),), (Ref(2),)]
        assert graph.nodes[1].weights is graph.nodes[3].weights

    def test_what_leads_nowhere_is_left_out_with_a_note(self, tmp_path):
        layers = [start(), square("used", [ref("x")]), square("dead", [ref("x")])]
        config = functional(layers, [["x", 0, 0]], [["used", 0, 0]])
        graph = load(write_h5(tmp_path / "m.h5", config, weights("used", "dead")))
        assert names(graph) == ["x", "used"]
        assert graph.notes == ("layer dead leads to no output and is left out",)

    def test_an_input_that_nothing_uses_stays(self, tmp_path):
        config = functional(
            [start("x"), start("y"), square("d", [ref("x")])], [["x", 0, 0], ["y", 0, 0]], [["d", 0, 0]]
        )
        graph = load(write_h5(tmp_path / "m.h5", config, weights("d")))
        assert [graph.nodes[index].layer for index in graph.inputs] == ["x", "y"]

    def test_an_input_may_be_an_output(self, tmp_path):
        config = functional([start(), square("d", [ref("x")])], [["x", 0, 0]], [["x", 0, 0], ["d", 0, 0]])
        assert load(write_h5(tmp_path / "m.h5", config, weights("d"))).outputs == (Ref(0), Ref(1))

    def test_a_thousand_layers_deep(self, tmp_path):
        count = 3000
        layers = [start()]
        for index in range(count):
            before = "x" if index == 0 else f"r{index - 1}"
            layers.append(called(layer("ReLU", f"r{index}"), [ref(before)]))
        config = functional(layers, [["x", 0, 0]], [[f"r{count - 1}", 0, 0]])
        assert len(load(write_h5(tmp_path / "m.h5", config, {})).nodes) == count + 1


class TestNesting:
    def inner(self, name: str = "inner") -> dict[str, Any]:
        return functional([start("i"), square("d", [ref("i")])], [["i", 0, 0]], [["d", 0, 0]], name)

    @pytest.mark.parametrize("first", [0, 1])
    def test_calls_counted_from_0_or_1(self, tmp_path, first):
        nested = {**self.inner(), "inbound_nodes": [[ref("x")], [ref("inner", first)]]}
        config = functional([start(), nested], [["x", 0, 0]], [["inner", first + 1, 0]])
        graph = load(write_h5(tmp_path / "m.h5", config, {"inner": weights("d")["d"]}))
        assert names(graph) == ["x", "inner/d", "inner/d#1"]
        assert graph.outputs == (Ref(2),)

    def test_a_doubling_model_is_refused(self, tmp_path):
        model = self.inner("m0")
        for level in range(1, 20):
            nested = {**model, "inbound_nodes": [[ref("x")], [ref(f"m{level - 1}", 1)]]}
            model = functional([start(), nested], [["x", 0, 0]], [[f"m{level - 1}", 2, 0]], f"m{level}")
        stored = {"m18": weights("d")["d"]}
        with pytest.raises(UnreadableModel, match="more than 20000 layer calls"):
            load(write_h5(tmp_path / "m.h5", model, stored))

    def test_the_wrong_number_of_inputs(self, tmp_path):
        nested = {**self.inner(), "inbound_nodes": [[ref("x"), ref("x")]]}
        config = functional([start(), nested], [["x", 0, 0]], [["inner", 1, 0]])
        with pytest.raises(UnreadableModel, match="layer inner: a model of 1 inputs is called on 2 tensors"):
            load(write_h5(tmp_path / "m.h5", config, {"inner": weights("d")["d"]}))

    def test_a_class_of_the_users_own_is_noted(self, tmp_path):
        config = {**functional([start(), square("d", [ref("x")])], [["x", 0, 0]], [["d", 0, 0]]), "class_name": "Mine"}
        assert "Mine" in load(write_h5(tmp_path / "m.h5", config, weights("d"))).notes[0]


class TestSequential:
    def test_a_bare_list(self, tmp_path):
        first = dense("dense")
        first["config"]["batch_input_shape"] = [32, 4]
        config = {"class_name": "Sequential", "config": [first, layer("Activation", "a", activation="relu")]}
        graph = load(write_h5(tmp_path / "m.h5", config, version="2.1.0"))
        assert names(graph) == ["dense_input", "dense", "a"]
        assert graph.specs[0].shape == (32, 4)

    @pytest.mark.parametrize("where", ["build_input_shape", "build_config"])
    def test_built_late(self, tmp_path, where):
        config = sequential(dense())
        if where == "build_config":
            config["build_config"] = {"input_shape": [None, 4]}
        else:
            config["config"]["build_input_shape"] = [None, 4]
        assert load(write_h5(tmp_path / "m.h5", config)).specs[0].shape == (None, 4)

    def test_the_first_layer_is_a_model(self, tmp_path):
        graph = load(
            write_h5(
                tmp_path / "m.h5",
                sequential({**sequential(source(), dense()), "name": "model"}),
                {"model": {"dense/kernel:0": KERNEL, "dense/bias:0": BIAS}},
            )
        )
        assert names(graph) == ["model_input", "model/dense"]


class TestUnverified:
    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (layer("RNN", "l", cell={}), "no reference for RNN"),
            (layer("Mine>Dense", "l", units=3), "no reference for Mine>Dense, which is no layer of Keras"),
            ({**layer("Dense", "l", units=3), "module": "my.code"}, "no reference for my.code>Dense"),
            (layer("Dense", "l", units=3, activation="mine"), "activation 'mine' has no reference"),
            (layer("Dense", "l", units=3, secret=1), "attribute 'secret' = 1 has no reference"),
        ],
    )
    def test_the_graph_builds_and_the_node_says_why(self, tmp_path, raw, reason):
        stored = {"l": {"l/kernel:0": KERNEL, "l/other:0": BIAS}}
        node = load(write_h5(tmp_path / "m.h5", sequential(source(), raw), stored)).nodes[1]
        assert node.attrs is None
        assert node.reason.startswith(reason)
        assert list(node.weights) == ["kernel", "other"]

    def test_own_packages_are_keras(self, tmp_path):
        stored = {"l": {"l/kernel:0": KERNEL, "l/bias:0": BIAS}}
        for raw in (
            layer("keras.layers>Dense", "l", units=3),
            {**layer("Dense", "l", units=3), "module": "keras.layers"},
        ):
            assert load(write_h5(tmp_path / "m.h5", sequential(source(), raw), stored)).nodes[1].type == "Dense"

    @pytest.mark.parametrize(
        ("arguments", "verified"), [({"training": False, "mask": None}, True), ({"training": True}, False)]
    )
    def test_call_arguments(self, tmp_path, arguments, verified):
        layers = [start(), called(layer("Dropout", "d", rate=0.5), [["x", 0, 0, arguments]])]
        node = load(write_h5(tmp_path / "m.h5", functional(layers, [["x", 0, 0]], [["d", 0, 0]]), {})).nodes[1]
        assert (node.attrs is not None) is verified
        assert dict(node.arguments) == ({} if verified else {"training": True})

    def test_training_changes_nothing_where_nothing_is_random(self, tmp_path):
        """Keras 3.15 writes it into every call of a Resizing."""
        layers = [start(), called(layer("Resizing", "r", height=2, width=2), [["x", 0, 0, {"training": True}]])]
        node = load(write_h5(tmp_path / "m.h5", functional(layers, [["x", 0, 0]], [["r", 0, 0]]), {})).nodes[1]
        assert (node.type, node.reason) == ("Resizing", "")

    def test_a_mask_given_as_a_tensor(self, tmp_path):
        layers = [start(), start("m"), called(layer("Softmax", "s"), [["x", 0, 0, {"mask": ["m", 0, 0]}]])]
        config = functional(layers, [["x", 0, 0], ["m", 0, 0]], [["s", 0, 0]])
        node = load(write_h5(tmp_path / "m.h5", config, {})).nodes[2]
        assert (node.attrs, node.inputs, node.arguments) == (None, (Ref(0),), {"mask": Ref(1)})
        assert (node.reason, node.masks, node.hides) == ("no reference for Softmax under a mask", (1,), None)

    @pytest.mark.parametrize("training", [True, False])
    def test_training_reaches_into_nested_models(self, tmp_path, training):
        inside = [
            start("i"),
            called(layer("Dropout", "drop", rate=0.5), [ref("i")]),
            called(layer("Dropout", "kept", rate=0.5), [["drop", 0, 0, {"training": False}]]),
            called(layer("ReLU", "relu"), [ref("kept")]),
        ]
        inner = functional(inside, [["i", 0, 0]], [["relu", 0, 0]], "inner")
        nested = {**inner, "inbound_nodes": [[["x", 0, 0, {"training": training}]]]}
        config = functional([start(), nested], [["x", 0, 0]], [["inner", 1, 0]])
        graph = load(write_h5(tmp_path / "m.h5", config, {}))
        verified = {node.layer: node.attrs is not None for node in graph.nodes[1:]}
        assert verified == {"inner/drop": not training, "inner/kept": True, "inner/relu": True}

    @pytest.mark.parametrize("mask_zero", [True, False])
    def test_a_mask_that_keras_hands_on(self, tmp_path, mask_zero):
        """Through an activation, and not past a mean."""
        embedding = layer("Embedding", "e", input_dim=4, output_dim=3, mask_zero=mask_zero)
        layers = [embedding, layer("ReLU", "r"), layer("GlobalAveragePooling1D", "m"), layer("Softmax", "s")]
        graph = load(write_h5(tmp_path / "m.h5", sequential(source(), *layers), {"e": {"e/embeddings:0": KERNEL}}))
        reasons = [node.reason for node in graph.nodes]
        assert reasons == ["", "", "", "no reference for GlobalAveragePooling1D under a mask" if mask_zero else "", ""]
        assert graph.nodes[3].hides == ((("mask", (1,)),) if mask_zero else None)


class TestDtypes:
    @pytest.mark.parametrize(
        ("policy", "name"),
        [
            ("float32", "float32"),
            ("mixed_bfloat16", "mixed_bfloat16"),
            (None, "float32"),
            ("_infer", "float32"),
            ({"class_name": "Policy", "config": {"name": "mixed_float16"}}, "mixed_float16"),
            ({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}}, "float64"),
        ],
    )
    def test_policies(self, tmp_path, policy, name):
        raw = dense(dtype=policy)
        assert load(write_h5(tmp_path / "m.h5", sequential(source(), raw))).nodes[1].dtype == name


REFUSED = [
    ([start(), square("d", [ref("d")])], ["d", 0, 0], "form a cycle"),
    ([start(), square("d", [ref("gone")])], ["d", 0, 0], "'gone', and there is no such layer"),
    ([start(), square("d", [ref("x", 3)])], ["d", 0, 0], "call 3 of 'x'"),
    ([start(), square("d", [ref("x")])], ["d", 1, 0], "call 1 of 'd' is referred to, which is called 1 times"),
    ([start(), square("d", [ref("x", 0, 1)])], ["d", 0, 0], "output 1 of 'x' is used, and it has 1"),
    ([start(), start("y"), square("d", [ref("y")])], ["d", 0, 0], "InputLayer 'y' is not among input_layers"),
    ([start(), square("d", [])], ["d", 0, 0], "layer d: a call without inputs"),
]


@pytest.mark.parametrize(("layers", "output", "what"), REFUSED)
def test_contradictions(tmp_path, layers, output, what):
    with pytest.raises(UnreadableModel, match=what):
        load(write_h5(tmp_path / "m.h5", functional(layers, [["x", 0, 0]], [output]), weights("d")))


def test_mutated_graphs_never_end_in_a_traceback(tmp_path):
    """Each value of a nested configuration replaced by each of a few others: read, or refused in one line."""
    inner = functional([start("i"), square("d", [ref("i")])], [["i", 0, 0]], [["d", 0, 0]], "inner")
    config = functional([start(), {**inner, "inbound_nodes": [[ref("x")]]}], [["x", 0, 0]], [["inner", 1, 0]])
    text, path, stored = json.dumps(config), tmp_path / "m.h5", {"inner": weights("d")["d"]}
    for place in places(config):
        for value in (None, -1, 3.5, "x", [], {}, [None], [["x", 0, 0]], {"class_name": "Sequential", "config": []}):
            changed = holder = json.loads(text)
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
            try:
                load(write_h5(path, changed, stored))
            except UnreadableModel as error:
                assert "\n" not in str(error)
