"""Where stored weights go: nested groups by name or by order, positions in archives, number formats."""

import tracemalloc

import h5py
import numpy as np
import pytest
from support.crafted import (
    BIAS,
    KERNEL,
    dense,
    layer,
    members,
    sequential,
    source,
    weights_h5,
    write_h5,
    write_zip,
)

from refconv.errors import UnreadableModel
from refconv.formats import load
from refconv.formats.zip_weights import snake_case
from refconv.inventory.streams import ends

RNG = np.random.default_rng(0)


def square() -> np.ndarray:
    return RNG.normal(size=(4, 4)).astype(np.float32)


def vector() -> np.ndarray:
    return RNG.normal(size=4).astype(np.float32)


def nested(*layers, name="inner"):
    raw = sequential(source("i"), *layers)
    raw["config"]["name"] = name
    return raw


def values(graph) -> dict[str, np.ndarray]:
    return {f"{node.layer}.{name}": weight.value for node in graph.nodes for name, weight in node.weights.items()}


def same(graph, expected) -> None:
    found = values(graph)
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


class TestNestedGroups:
    """dense, norm and dense_1 in one group: trainable weights come before the others."""

    model = sequential(
        source(),
        nested(dense("dense", 4), layer("BatchNormalization", "norm"), dense("dense_1", 4, trainable=True)),
    )

    def arrays(self):
        return {
            "inner/dense.kernel": square(),
            "inner/dense.bias": vector(),
            "inner/norm.gamma": vector(),
            "inner/norm.beta": vector(),
            "inner/norm.moving_mean": vector(),
            "inner/norm.moving_variance": vector(),
            "inner/dense_1.kernel": square(),
            "inner/dense_1.bias": vector(),
        }

    def stored(self, arrays, rename):
        """In Keras's order: what is trained, then the moving statistics."""
        names = sorted(arrays, key=lambda name: "moving" in name)
        return {"inner": {rename(name.removeprefix("inner/").replace(".", "/")) + ":0": arrays[name] for name in names}}

    @pytest.mark.parametrize(
        "rename",
        [
            lambda name: name,
            lambda name: f"outer/inner/{name}",
            lambda name: f"inner_7/{name}",
            # TensorFlow 1 numbered names anew: dense is stored as dense_1, and dense_1 as dense_2.
            lambda name: name.replace("dense_1/", "dense_2/").replace("dense/", "dense_1/"),
            lambda name: f"{name.split('/')[0]}_99/{name.split('/')[1]}",
        ],
        ids=["plain", "prefixed", "numbered model", "shifted", "strange"],
    )
    def test_every_naming(self, tmp_path, rename):
        arrays = self.arrays()
        same(load(write_h5(tmp_path / "m.h5", self.model, self.stored(arrays, rename))), arrays)

    def test_too_few(self, tmp_path):
        stored = self.stored(self.arrays(), lambda name: name)
        stored["inner"].popitem()
        with pytest.raises(UnreadableModel, match="layer inner: its 7 stored weights do not fit the 3 layers"):
            load(write_h5(tmp_path / "m.h5", self.model, stored))

    def test_two_inner_models_with_layers_of_one_name(self, tmp_path):
        model = sequential(source(), nested(nested(dense("d", 4), name="a"), nested(dense("d", 4), name="b")))
        arrays = {f"inner/{m}/d.{w}": square() if w == "kernel" else vector() for m in "ab" for w in ("kernel", "bias")}
        stored = {"inner": {f"{key[6:].replace('.', '/')}:0": array for key, array in reversed(arrays.items())}}
        same(load(write_h5(tmp_path / "m.h5", model, stored)), arrays)

    def test_frozen_layers_come_last(self, tmp_path):
        model = sequential(source(), nested(dense("a", 4, trainable=False), dense("b", 4)))
        arrays = {f"inner/{m}.{w}": square() if w == "kernel" else vector() for m in "ab" for w in ("kernel", "bias")}
        names = ["inner/b.kernel", "inner/b.bias", "inner/a.kernel", "inner/a.bias"]
        stored = {"inner": {f"w{index}:0": arrays[name] for index, name in enumerate(names)}}
        graph = load(write_h5(tmp_path / "m.h5", model, stored))
        same(graph, arrays)
        assert [weight.trainable for node in graph.nodes for weight in node.weights.values()] == [False] * 2 + [
            True
        ] * 2


class TestGroups:
    def test_names_beat_their_order(self, tmp_path):
        stored = {"dense": {"dense/bias:0": BIAS, "dense/kernel:0": KERNEL}}
        same(load(write_h5(tmp_path / "m.h5", weights=stored)), {"dense.kernel": KERNEL, "dense.bias": BIAS})

    def test_order_decides_where_names_say_nothing(self, tmp_path):
        stored = {"dense": {"param_0": KERNEL, "param_1": BIAS}}
        same(load(write_h5(tmp_path / "m.h5", weights=stored)), {"dense.kernel": KERNEL, "dense.bias": BIAS})

    def test_renamed_groups_go_by_order(self, tmp_path):
        model = sequential(source(), dense("a"), layer("ReLU", "r"), dense("b", 2))
        second = RNG.normal(size=(3, 2)).astype(np.float32)
        stored = {
            "dense_8": {"dense_8/kernel:0": KERNEL, "dense_8/bias:0": BIAS},
            "relu_8": {},
            "dense_9": {"dense_9/kernel:0": second, "dense_9/bias:0": BIAS[:2]},
        }
        expected = {"a.kernel": KERNEL, "a.bias": BIAS, "b.kernel": second, "b.bias": BIAS[:2]}
        same(load(write_h5(tmp_path / "m.h5", model, stored)), expected)

    def test_lists_of_names_that_keras_cut_into_pieces(self, tmp_path):
        with h5py.File(write_h5(tmp_path / "m.h5"), "a") as file:
            attributes = file["model_weights/dense"].attrs
            del attributes["weight_names"]
            attributes["weight_names0"] = np.array([b"dense/kernel:0"])
            attributes["weight_names1"] = np.array([b"dense/bias:0"])
        same(load(tmp_path / "m.h5"), {"dense.kernel": KERNEL, "dense.bias": BIAS})

    def test_a_layer_whose_name_has_a_slash(self, tmp_path):
        stored = {"block/dense": {"block/dense/kernel:0": KERNEL, "block/dense/bias:0": BIAS}}
        graph = load(write_h5(tmp_path / "m.h5", sequential(source(), dense("block/dense")), stored))
        same(graph, {"block/dense.kernel": KERNEL, "block/dense.bias": BIAS})

    def test_an_opaque_layer_keeps_whole_names_where_the_last_parts_repeat(self, tmp_path):
        stored = {"both": {"forward/kernel:0": KERNEL, "backward/kernel:0": -KERNEL}}
        graph = load(write_h5(tmp_path / "m.h5", sequential(source(), layer("RNN", "both")), stored))
        same(graph, {"both.forward/kernel": KERNEL, "both.backward/kernel": -KERNEL})

    def test_number_formats(self, tmp_path):
        stored = {"dense": {"kernel": KERNEL.astype(">f4"), "bias": BIAS.astype(np.float16)}}
        weights = load(write_h5(tmp_path / "m.h5", weights=stored)).nodes[1].weights
        assert (weights["kernel"].dtype, weights["bias"].dtype) == ("float32", "float16")
        assert weights["kernel"].value.dtype == np.dtype("=f4")
        np.testing.assert_array_equal(weights["kernel"].value, KERNEL)


class TestArchives:
    def archive(self, tmp_path, layers, arrays):
        contents = members(sequential(source(), *layers), "2.12.0")
        contents["model.weights.h5"] = weights_h5(arrays)
        return write_zip(tmp_path / "m.keras", contents)

    @pytest.mark.parametrize("container", ["layers", "_layer_checkpoint_dependencies"])
    @pytest.mark.parametrize("groups", [("dense", "dense_1"), ("dense", "dense_2")])
    def test_both_containers_and_gaps(self, tmp_path, container, groups):
        """Keras 2.12 counts a layer with weights twice, so that its numbers have gaps."""
        kernels = {groups[0]: KERNEL, groups[1]: KERNEL[:3]}
        arrays = {f"{container}/{g}/vars/0": kernel for g, kernel in kernels.items()}
        arrays |= {f"{container}/{g}/vars/1": BIAS for g in groups}
        graph = load(self.archive(tmp_path, [dense("zeta"), dense("alpha")], arrays))
        expected = {"zeta.kernel": KERNEL, "zeta.bias": BIAS, "alpha.kernel": KERNEL[:3], "alpha.bias": BIAS}
        same(graph, expected)

    def test_ten_comes_after_nine(self, tmp_path):
        arrays = {f"layers/rnn/cell/vars/{index}": np.float32([index]) for index in range(12)}
        graph = load(self.archive(tmp_path, [layer("RNN", "l")], arrays))
        assert list(graph.nodes[1].weights) == [f"var{index}" for index in range(12)]

    def test_a_random_seed_is_no_weight(self, tmp_path):
        arrays = {"layers/dropout/seed_generator/vars/0": np.uint32([1, 2])}
        node = load(self.archive(tmp_path, [layer("Dropout", "d", rate=0.5)], arrays)).nodes[1]
        assert (node.attrs is not None, dict(node.weights)) == (True, {})

    def test_large_weights_stay_in_the_file(self, tmp_path):
        kernel = np.random.default_rng(0).random((1 << 21, 8), np.float32)  # 64 MiB
        path = self.archive(tmp_path, [dense(units=8, use_bias=False)], {"layers/dense/vars/0": kernel})
        tracemalloc.start()
        weight = load(path).nodes[1].weights["kernel"]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < kernel.nbytes / 4
        np.testing.assert_array_equal(weight.value, kernel)

    @pytest.mark.parametrize("shape", [(1 << 18, 3), (700, 700), (1 << 20,), (1, 1 << 20)])
    def test_the_ends_of_a_large_weight_are_found_piece_by_piece(self, tmp_path, shape):
        kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        kernel.flat[-1], kernel.flat[kernel.size // 2] = 99, -98
        path = self.archive(tmp_path, [layer("RNN", "l")], {"layers/rnn/vars/0": kernel})
        weight = load(path).nodes[1].weights["var0"]
        assert ends(weight).tolist() == [-98, 99]
        kernel.flat[7] = np.nan
        path = self.archive(tmp_path, [layer("RNN", "l")], {"layers/rnn/vars/0": kernel})
        assert np.isnan(ends(load(path).nodes[1].weights["var0"])).all()

    def test_bfloat16_comes_as_float32(self, tmp_path):
        stream = tmp_path / "w.h5"
        stream.write_bytes(weights_h5({"layers/dense/vars/0": KERNEL}))
        with h5py.File(stream, "a") as file:
            bits = (BIAS.view(np.uint32) >> 16).astype(np.uint16)
            dataset = file["layers/dense/vars"].create_dataset("1", data=bits.view("V2"))
            dataset.attrs["dtype"] = "bfloat16"
        contents = {**members(), "model.weights.h5": stream.read_bytes()}
        weight = load(write_zip(tmp_path / "m.keras", contents)).nodes[1].weights["bias"]
        assert weight.dtype == "bfloat16"
        np.testing.assert_array_equal(weight.value, BIAS, strict=True)

    @pytest.mark.parametrize(
        ("class_name", "snake"),
        [
            ("Conv2DTranspose", "conv2d_transpose"),
            ("Dense", "dense"),
            ("PReLU", "p_re_lu"),
            ("LSTM", "lstm"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("Mine>HTTPLayer", "http_layer"),
        ],
    )
    def test_group_names(self, class_name, snake):
        assert snake_case(class_name) == snake
