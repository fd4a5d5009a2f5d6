"""Files that are missing, damaged, hostile or foreign: one clear line each, never a traceback."""

import json
import zipfile

import h5py
import numpy as np
import pytest
from support.crafted import (
    BIAS,
    KERNEL,
    ONE_DENSE,
    WEIGHTS,
    dense,
    members,
    places,
    sequential,
    source,
    write_h5,
    write_zip,
)

from refconv.errors import UnreadableModel
from refconv.formats import load


def refused(path, match):
    with pytest.raises(UnreadableModel, match=match) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_the_crafted_files_load(tmp_path):
    """What the refusals below are variations of."""
    for path in (write_h5(tmp_path / "m.h5"), write_zip(tmp_path / "m.keras", members())):
        graph = load(path)
        np.testing.assert_array_equal(graph.nodes[1].weights["kernel"].value, KERNEL)
        np.testing.assert_array_equal(graph.nodes[1].weights["bias"].value, BIAS)


class TestContainer:
    def test_missing(self, tmp_path):
        refused(tmp_path / "none.h5", "no such file")

    def test_empty(self, tmp_path):
        path = tmp_path / "empty.h5"
        path.touch()
        refused(path, "the file is empty")

    def test_directories(self, tmp_path):
        refused(tmp_path, "this is a directory")
        (tmp_path / "saved_model.pb").touch()
        refused(tmp_path, "a TensorFlow SavedModel directory")

    @pytest.mark.parametrize(
        ("head", "what"),
        [
            (b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
            (b"\x80\x04\x95", "Python pickle"),
            (b'{"class_name": "Sequential"}', "JSON text"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"something else", "no HDF5 and no ZIP file"),
        ],
    )
    def test_foreign(self, tmp_path, head, what):
        path = tmp_path / "model.h5"
        path.write_bytes(head)
        refused(path, what)

    @pytest.mark.parametrize("name", ["m.h5", "m.keras"])
    @pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95])
    def test_truncated(self, tmp_path, name, share):
        path = tmp_path / name
        write_h5(path) if name.endswith("h5") else write_zip(path, members())
        data = path.read_bytes()
        path.write_bytes(data[: max(16, int(len(data) * share))])
        refused(path, "truncated|damaged")

    def test_the_name_does_not_decide(self, tmp_path):
        assert load(write_h5(tmp_path / "m.keras")).format == "hdf5"
        assert load(write_zip(tmp_path / "m.h5", members())).format == "keras"

    def test_a_user_block_before_hdf5_is_allowed(self, tmp_path):
        with h5py.File(tmp_path / "m.h5", "w", userblock_size=1024):
            pass
        refused(tmp_path / "m.h5", "no Keras model")


class TestArchive:
    def test_a_member_twice(self, tmp_path):
        path = write_zip(tmp_path / "m.keras", members())
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
            archive.writestr("config.json", b"{}")
        refused(path, "holds 'config.json' twice")

    @pytest.mark.parametrize("name", ["metadata.json", "model.weights.h5"])
    def test_a_member_missing(self, tmp_path, name):
        contents = members()
        del contents[name]
        refused(write_zip(tmp_path / "m.keras", contents), f"no {name}")

    def test_foreign_archives(self, tmp_path):
        refused(write_zip(tmp_path / "a", {"x.npy": b""}), r"NumPy \.npz")
        refused(write_zip(tmp_path / "b", {"archive/data.pkl": b""}), "PyTorch")
        refused(write_zip(tmp_path / "c", {"photo.png": b""}), r"without config\.json")

    def test_sharded_weights_are_refused_by_name(self, tmp_path):
        contents = members()
        contents["model.weights.json"] = contents.pop("model.weights.h5")
        refused(write_zip(tmp_path / "m.keras", contents), "sharded weights")

    def test_a_bomb(self, tmp_path):
        contents = {**members(), "model.weights.h5": bytes(32 << 20)}
        refused(write_zip(tmp_path / "m.keras", contents, zipfile.ZIP_DEFLATED), "would expand")

    def test_a_compressed_archive_is_read(self, tmp_path):
        assert load(write_zip(tmp_path / "m.keras", members(), zipfile.ZIP_DEFLATED)).format == "keras"

    def test_an_encrypted_member(self, tmp_path):
        path = write_zip(tmp_path / "m.keras", members())
        data = bytearray(path.read_bytes())
        directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"model.weights.h5"))
        data[directory + 8] |= 1
        path.write_bytes(data)
        refused(path, "encrypted")

    @pytest.mark.parametrize("where", [b'"units"', KERNEL.tobytes()], ids=["config", "weights"])
    def test_a_flipped_bit_is_found(self, tmp_path, where):
        path = write_zip(tmp_path / "m.keras", members())
        data = bytearray(path.read_bytes())
        data[data.index(where) + 2] ^= 1
        path.write_bytes(data)
        refused(path, "damaged")


class TestConfiguration:
    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("{", "not valid JSON"),
            ('{"class_name": "Sequential", "class_name": "Model"}', "'class_name' stands twice"),
            ("[" * 100_000 + "]" * 100_000, "nested too deeply|nested more than"),
            ("[" * 300 + "]" * 300, "nested more than 200"),
            ("[]", "no JSON object"),
            ('{"class_name": "MyModel", "config": {"width": 3}}', "'MyModel' is a subclassed model"),
            ('{"class_name": "Sequential", "config": {"layers": []}}', "without layers"),
            ('{"class_name": "Sequential", "config": {"layers": [3]}}', "without class_name"),
        ],
    )
    def test_broken(self, tmp_path, text, what):
        refused(write_h5(tmp_path / "m.h5", text), what)

    def test_keras1_without_a_version(self, tmp_path):
        config = sequential(source(), {"class_name": "Dense", "config": {"name": "d", "output_dim": 3, "b_x": [],
                                                                       "W_regularizer": None}})  # fmt: skip
        assert load(write_h5(tmp_path / "m.h5", config, {}, version="")).dialect == "keras1"

    @pytest.mark.parametrize("version", ["0.3.0", "4.0.0"])
    def test_a_keras_that_is_not_read(self, tmp_path, version):
        refused(write_h5(tmp_path / "m.h5", version=version), f"Keras {version}, which refconv does not know")

    @pytest.mark.parametrize(
        ("config", "what"),
        [
            ({"units": "3"}, "layer dense: units = '3': an integer is wanted"),
            ({"use_bias": "yes"}, "layer dense: use_bias"),
            ({"lora_rank": 4}, "LoRA layers"),
            ({"quantization_config": {"class_name": "Int8QuantizationConfig"}}, "quantized layers"),
            ({"dtype": {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}}, "QuantizedDTypePolicy"),
            ({"dtype": "int8_from_float32"}, "quantized weights"),
            ({"dtype": 3}, "no dtype policy"),
        ],
    )
    def test_a_value_that_does_not_fit(self, tmp_path, config, what):
        raw = dense()
        raw["config"].update(config)
        refused(write_h5(tmp_path / "m.h5", sequential(source(), raw)), what)

    def test_an_input_without_a_shape(self, tmp_path):
        refused(write_h5(tmp_path / "m.h5", sequential(dense())), "does not say the shape")

    def test_two_layers_of_one_name(self, tmp_path):
        refused(write_h5(tmp_path / "m.h5", sequential(source(), dense(), dense())), "two layers are named 'dense'")


class TestWeights:
    def weights(self, tmp_path, **arrays):
        return write_h5(tmp_path / "m.h5", ONE_DENSE, {"dense": {f"dense/{k}:0": v for k, v in arrays.items()}})

    def test_wrong_shape(self, tmp_path):
        path = self.weights(tmp_path, kernel=KERNEL, bias=BIAS[:2])
        refused(path, r"layer dense: bias is stored with shape \(2\), and the configuration wants \(3\)")
        path = self.weights(tmp_path, kernel=KERNEL.T, bias=BIAS)
        refused(path, r"layer dense: kernel is stored with shape \(3, 4\), and the configuration wants \(any, 3\)")

    def test_missing(self, tmp_path):
        refused(self.weights(tmp_path, kernel=KERNEL), "layer dense: is missing a weight: the file stores dense/kernel")

    def test_surplus(self, tmp_path):
        refused(self.weights(tmp_path, kernel=KERNEL, bias=BIAS, mask=BIAS), "layer dense: has a surplus weight")

    def test_of_no_layer(self, tmp_path):
        path = write_h5(tmp_path / "m.h5", ONE_DENSE, {**WEIGHTS, "ghost": {"ghost/kernel:0": KERNEL}})
        refused(path, "weights of 'ghost', and there is no such layer")
        contents = members()
        contents["model.weights.h5"] = weights_with("layers/ghost/vars/0")
        refused(write_zip(tmp_path / "m.keras", contents), "weights of 'ghost'")

    def test_weights_only(self, tmp_path):
        with h5py.File(write_h5(tmp_path / "m.h5"), "a") as file:
            del file.attrs["model_config"]
            file.attrs["layer_names"] = np.array([b"dense"])
        refused(tmp_path / "m.h5", "holds weights but no architecture")
        (tmp_path / "w.h5").write_bytes(members()["model.weights.h5"])
        refused(tmp_path / "w.h5", "holds weights but no architecture")

    def test_no_numbers(self, tmp_path):
        with h5py.File(write_h5(tmp_path / "m.h5"), "a") as file:
            group = file["model_weights/dense"]
            del group["dense/bias:0"]
            group["dense/bias:0"] = np.array([b"a", b"b", b"c"])
        refused(tmp_path / "m.h5", "no number")

    def test_nan_and_infinity_are_values(self, tmp_path):
        path = self.weights(tmp_path, kernel=KERNEL, bias=np.float32([np.nan, np.inf, -np.inf]))
        np.testing.assert_array_equal(load(path).nodes[1].weights["bias"].value, [np.nan, np.inf, -np.inf])


def weights_with(name):
    from support.crafted import ZIP_WEIGHTS, weights_h5

    return weights_h5({**ZIP_WEIGHTS, name: KERNEL})


class TestHostileHdf5:
    def replaced(self, tmp_path, put):
        """The crafted file with its bias replaced by what `put(group, name)` makes."""
        path = write_h5(tmp_path / "m.h5")
        with h5py.File(path, "a") as file:
            group = file["model_weights/dense/dense"]
            del group["bias:0"]
            put(group, "bias:0")
        return path

    def test_soft_and_external_links(self, tmp_path):
        refused(self.replaced(tmp_path, lambda g, n: g.update({n: h5py.SoftLink("/elsewhere")})), "SoftLink")
        other = write_h5(tmp_path / "other.h5")
        link = h5py.ExternalLink(str(other), "/model_weights/dense/dense/bias:0")
        refused(self.replaced(tmp_path, lambda g, n: g.update({n: link})), "ExternalLink")

    def test_a_linked_group(self, tmp_path):
        path = write_h5(tmp_path / "m.h5")
        with h5py.File(path, "a") as file:
            file.move("model_weights", "hidden")
            file["model_weights"] = h5py.SoftLink("/hidden")
        refused(path, "SoftLink")

    def test_values_in_another_file(self, tmp_path):
        (tmp_path / "secret").write_bytes(bytes(64))

        def external(group, name):
            group.create_dataset(name, (3,), "f4", external=[(str(tmp_path / "secret"), 0, 12)])

        refused(self.replaced(tmp_path, external), "keeps its values in another file")

    def test_virtual_values(self, tmp_path):
        def virtual(group, name):
            layout = h5py.VirtualLayout((3,), "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (3,))
            group.create_virtual_dataset(name, layout)

        refused(self.replaced(tmp_path, virtual), "keeps its values in another file")

    def test_a_shape_bomb(self, tmp_path):
        def bomb(group, name):
            group.create_dataset(name, (1 << 40,), "f4", chunks=(1 << 20,), compression="gzip")

        refused(self.replaced(tmp_path, bomb), "declares .* bytes but stores")

    def test_an_unknown_filter(self, tmp_path):
        def filtered(group, name):
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_chunk((3,))
            creation.set_filter(32_012, h5py.h5z.FLAG_OPTIONAL, ())
            space = h5py.h5s.create_simple((3,))
            h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, space, dcpl=creation)

        refused(self.replaced(tmp_path, filtered), "unknown filter 32012")

    @pytest.mark.parametrize(
        "name", ["../../model_weights", ".", "dense//kernel:0", "/model_weights/dense/dense/bias:0"]
    )
    def test_names_that_lead_elsewhere(self, tmp_path, name):
        path = write_h5(tmp_path / "m.h5")
        with h5py.File(path, "a") as file:
            file["model_weights/dense"].attrs["weight_names"] = np.array([b"dense/kernel:0", name.encode()])
        refused(path, "no name of a member")

    def test_a_name_that_is_not_there(self, tmp_path):
        path = write_h5(tmp_path / "m.h5")
        with h5py.File(path, "a") as file:
            file["model_weights/dense"].attrs["weight_names"] = np.array([b"dense/kernel:0", b"dense/gone:0"])
        refused(path, "there is no 'gone:0'")

    def test_a_group_that_holds_itself(self, tmp_path):
        contents = members()
        path = tmp_path / "w.h5"
        path.write_bytes(contents["model.weights.h5"])
        with h5py.File(path, "a") as file:
            file["layers/dense/again"] = file["layers/dense"]
        contents["model.weights.h5"] = path.read_bytes()
        refused(write_zip(tmp_path / "m.keras", contents), "one group has two names")

    def test_a_corrupt_chunk_is_found_when_it_is_read(self, tmp_path):
        def compressed(group, name):
            group.create_dataset(name, data=BIAS, chunks=(3,), compression="gzip", fletcher32=True)

        path = self.replaced(tmp_path, compressed)
        with h5py.File(path) as file:
            offset = file["model_weights/dense/dense/bias:0"].id.get_chunk_info(0).byte_offset
        data = bytearray(path.read_bytes())
        data[offset + 4] ^= 0xFF
        path.write_bytes(data)
        weight = load(path).nodes[1].weights["bias"]
        with pytest.raises(UnreadableModel, match="damaged HDF5"):
            weight.read()

    def test_a_file_that_goes_or_changes_after_loading(self, tmp_path):
        path = write_h5(tmp_path / "m.h5")
        weight = load(path).nodes[1].weights["bias"]
        write_h5(path, ONE_DENSE, {"dense": {"dense/kernel:0": KERNEL, "dense/bias:0": BIAS[:1]}})
        with pytest.raises(UnreadableModel, match="has changed"):
            weight.read()
        path.unlink()
        with pytest.raises(UnreadableModel):
            weight.read()


def test_mutated_configurations_never_end_in_a_traceback(tmp_path):
    """Each value of a configuration replaced by each of a few others: read, or refused in one line."""
    text = json.dumps(ONE_DENSE)
    path = tmp_path / "m.h5"
    for place in places(ONE_DENSE):
        for value in (None, -1, 3.5, "x", [], {}, [None], {"class_name": "InputLayer"}, True):
            changed = json.loads(text)
            holder = changed
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
            write_h5(path, changed)
            try:
                load(path)
            except UnreadableModel as error:
                assert "\n" not in str(error)
