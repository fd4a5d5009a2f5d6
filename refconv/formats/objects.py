"""Who is named in a configuration: every class and function in it, at any depth, used or not, by a closed table.

A framework builds whatever a configuration names, also a layer that leads to no output, an initializer or a constant;
and some loaders import any module that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from refconv.errors import UnreadableModel
from refconv.formats import names
from refconv.graph import Stranger
from refconv.quantizers.grammar import parse

AROUND = "--no-framework runs the reference around it, --rebuild the framework too"
TRUST = "name the file that has it with --trust-code FILE.py"
WORDS = ("activation", "quantizer")  # fields that end in these hold a word that is looked up
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
FILES = {"StringLookup", "IntegerLookup", "TextVectorization"}


def strangers(config: Mapping[str, Any]) -> tuple[Stranger, ...]:
    """What `config` names that no table has: the first that no trust covers, and all that trusted files may define.

    Raises:
        UnreadableModel: a constant of a dtype that is no plain one.
    """
    foreign: dict[str, Stranger] = {}
    for one in _of_root(config):
        if one.inside:
            return (one, *foreign.values())
        foreign.setdefault(one.name, one)
    return tuple(foreign.values())


def _of_root(config: Mapping[str, Any]) -> Iterator[Stranger]:
    """The model's own name stands in no path, and what it was compiled with is not loaded."""
    if isinstance(config.get("class_name"), str):
        what = f"{config['class_name']!r} is a subclassed model: its code is not in the file"
        yield from (one if one.inside else replace(one, what=what) for one in _named(config, ""))
    for key, item in config.items():
        if key != "compile_config":
            yield from _walk(item, (), "" if key == "config" else key)


def _walk(value: Any, path: tuple[str, ...], key: str) -> Iterator[Stranger]:
    if isinstance(value, str) and key.endswith(WORDS):
        yield from _word(value, _where(path, key), key)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, path, key)
    elif isinstance(value, dict):
        here, key = _here(value, path, key)
        if isinstance(value.get("class_name"), str):
            yield from _named(value, _where(here, key))
        for name, item in value.items():
            yield from _walk(item, here, key if name == "config" else "" if name == "layers" else name)


def _here(value: Mapping[str, Any], path: tuple[str, ...], key: str) -> tuple[tuple[str, ...], str]:
    """The path of layers with this one, if it is a layer with a name, and the field within it."""
    config = value.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    if "class_name" not in value or not isinstance(name, str):
        return path, key
    return (*path, name), "" if key in ("layer", "") else key


def _where(path: tuple[str, ...], key: str) -> str:
    layer = "layer " + "/".join(path) if path else ""
    return ": ".join(filter(None, (layer, key)))


def _named(value: Mapping[str, Any], where: str) -> Iterator[Stranger]:
    """One object: what it is, then where it is said to come from."""
    kind = value["class_name"]
    bare = kind.rpartition(">")[2]
    if problem := _code(bare, value.get("config"), value):
        yield Stranger(where, problem, AROUND, bare, inside=True)
        return
    if isinstance(config := value.get("config"), dict) and _is_path(config.get("name")):
        yield Stranger(where, "a layer's name is a path, where some loaders write", AROUND, bare, inside=True)
    if bare in ("__numpy__", "__tensor__"):
        _refuse_odd_dtype(value.get("config"), where)
    name = str(value.get("config")) if kind == "function" else kind
    yield from _imported(name, value, where)


def _code(bare: str, config: Any, value: Mapping[str, Any]) -> str:
    """Why an object is a program, or reaches one or another file, whatever the user's own code is; "" if it is none."""
    config = config if isinstance(config, dict) else {}
    if bare in ("Lambda", "__lambda__"):
        return (
            f"a {'Lambda layer' if bare == 'Lambda' else 'lambda'} holds code from the file, which refconv does not run"
        )
    if bare in names.CODE:
        return f"{bare} holds code or names a file, which refconv neither runs nor lets a framework load"
    if bare in names.CALLS:
        called, known = _called(bare, config)
        return "" if known else f"calls {called[:80]}, which is not among the functions that only compute"
    if bare in FILES and (field := next((f for f in ("vocabulary", "idf_weights") if _is_text(config, f)), "")):
        return f"{field} = {config[field]!r} is the name of a file, which no framework is to read"
    if bare in ("TypeSpec", "CompositeTensor") or "spec_name" in value:
        return f"{bare} is a type that refconv does not read"
    return ""


def _is_path(name: Any) -> bool:
    return isinstance(name, str) and not {".", ".."}.isdisjoint(name.split("/"))


def _is_text(config: Mapping[str, Any], field: str) -> bool:
    return isinstance(config.get(field), str)


def _called(bare: str, config: Mapping[str, Any]) -> tuple[str, bool]:
    """What a call of TensorFlow calls, and whether that only computes."""
    if bare == "TensorFlowOpLayer":
        node = config.get("node_def")
        op = str(node.get("op")) if isinstance(node, dict) else ""
        return (f"the operation {op!r}" if op else "an operation in TensorFlow's binary form"), op in names.NODES
    symbol = str(config.get("function"))
    short = symbol.removeprefix("compat.v1.")
    known = short in names.FUNCTIONS or short.startswith(names.FUNCTIONS_OF)
    return f"tf.{symbol}", known and all(map(IDENTIFIER.fullmatch, short.split(".")))


def _refuse_odd_dtype(config: Any, where: str) -> None:
    """A NumPy dtype may be an array of millions: a constant of one number would then fill the memory."""
    dtype = config.get("dtype") if isinstance(config, dict) else None
    if not isinstance(dtype, str) or dtype not in names.DTYPES:
        raise UnreadableModel(f"a constant of dtype {str(dtype)[:80]!r} is not read", where=where)


def _imported(name: str, value: Mapping[str, Any], where: str) -> Iterator[Stranger]:
    """Whether the name is Keras's own, and under no other name or module than its own."""
    module, registered, bare = value.get("module"), value.get("registered_name"), name.rpartition(">")[2]
    function = value["class_name"] == "function"
    if not IDENTIFIER.fullmatch(bare) or not _consistent(registered, bare, function):
        yield Stranger(where, f"{name[:80]!r} is no name that Keras gives", AROUND, bare, inside=True)
    elif not _own(name, module, registered):
        kind = "function" if function else "class"
        said = str(registered) if registered and bare in names.OBJECTS and not function else name
        what = f"{said} is no {kind} of Keras: its code is not in the file"
        yield Stranger(where, what, TRUST, bare)


def _consistent(registered: Any, bare: str, function: bool) -> bool:
    """Keras 2 takes a registered name for the class's where the module has none of that name."""
    if registered is None or (function and registered == "function"):
        return True
    return isinstance(registered, str) and registered.rpartition(">")[2] == bare


def _own(name: str, module: Any, registered: Any) -> bool:
    if isinstance(module, str) and module.startswith(names.OPERATIONS):
        return True
    if name in names.REGISTERED or registered in names.REGISTERED:
        return True
    packages = {str(text).rpartition(">")[0] for text in (name, registered) if text}
    package = module is None or any(module == m or str(module).startswith(f"{m}.") for m in names.MODULES)
    return package and packages <= set(names.PACKAGES) and name.rpartition(">")[2] in names.OBJECTS


def _word(text: str, where: str, field: str) -> Iterator[Stranger]:
    """A function or quantizer by its name, perhaps with arguments: QKeras calls what it finds by it."""
    name = text.partition("(")[0].strip()
    if name in names.QUANTIZERS:
        try:
            parse(text)
        except ValueError as error:
            yield Stranger(where, f"quantizer {text[:80]!r}: {error}", AROUND, name, inside=True)
    elif not IDENTIFIER.fullmatch(text):
        yield Stranger(where, f"{text[:80]!r} is no name of a function", AROUND, name, inside=True)
    elif text not in names.OBJECTS:
        yield Stranger(where, f"{field} {text!r} is no function of Keras: its code is not in the file", TRUST, name)
