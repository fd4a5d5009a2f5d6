"""One object of a configuration, as the worker judges it alone: is it Keras's own, somebody else's, or refused.

formats/objects.py does the same for refconv's own reader, with a table of every class; here classes are known by the
module that they are said to be of.
"""

import re
from typing import Any, Dict, Iterator

from refconv.frameworks.worker import known

# Parts of Keras that hold layers and what belongs to them; others download, load, save and configure.
PLACES = (
    "_legacy.layers", "_legacy.losses", "activations", "applications", "constraints", "dtype_policies", "engine",
    "feature_column", "initializers", "layers", "legacy.layers", "legacy.losses", "losses", "metrics",
    "mixed_precision", "models", "ops", "optimizers", "quantizers", "random", "regularizers",
)  # fmt: skip
FUNCTIONS_OF = ("builtins", "keras.activations", "keras.src.activations", "tf_keras.activations",
                "tf_keras.src.activations")  # fmt: skip
LOSSES_OF = ("keras.losses", "keras.metrics", "keras.src.losses", "keras.src.metrics")
FILES = {"StringLookup", "IntegerLookup", "TextVectorization"}
WORDS = ("activation", "quantizer")  # fields that end in these hold a word that is looked up, and perhaps called
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_LITERAL = r"""(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|True|False|'[^'"(),=]*'|"[^'"(),=]*")"""
_ARGUMENT = r"\s*(?:[A-Za-z_]\w*\s*=)?\s*" + _LITERAL + r"\s*"
CALL = re.compile(rf"\s*([A-Za-z_]\w*)\s*(?:\((?:{_ARGUMENT}(?:,{_ARGUMENT})*)?\s*\)\s*)?")
LONGEST = 1000  # characters of a quantizer with its arguments


class Refused(Exception):
    """Why a file is not loaded, in one line."""


def foreign_names(value: Dict[str, Any]) -> Iterator[str]:
    """Names in this object, not in those inside it, that only the user's own code can define.

    Raises:
        Refused: it holds code, or names what may do more than compute.
    """
    for key, word in value.items():
        if key.endswith(WORDS):
            for each in word if isinstance(word, list) else [word]:
                yield from _word(each) if isinstance(each, str) else ()
    if isinstance(value.get("class_name"), str):
        config = value.get("config")
        _refuse(value["class_name"].rpartition(">")[2], config if isinstance(config, dict) else {}, value)
        yield from _imported(value)


def within(module: str, packages: Any) -> bool:
    """Whether a module is one of these, or beneath one."""
    return any(module == each or module.startswith(each + ".") for each in packages)


def _refuse(name: str, config: Dict[str, Any], value: Dict[str, Any]) -> None:
    """What is a program, or reaches one or another file, whatever the user's own code is."""
    if name in known.CODE:
        raise Refused(name + " holds code or names a file, which is not run")
    if name in known.CALLS:
        _demand_computes(name, config)
    if name in FILES:
        for field in ("vocabulary", "idf_weights"):
            if isinstance(config.get(field), str):
                raise Refused(f"the {field} of {name} is the name of a file, which is not read")
    if name in ("TypeSpec", "CompositeTensor") or "spec_name" in value:
        raise Refused(name + " is a type that is not read")


def _demand_computes(name: str, config: Dict[str, Any]) -> None:
    """Calls of TensorFlow that Keras 2 writes as layers."""
    if name == "TensorFlowOpLayer":
        node = config.get("node_def")
        op = str(node.get("op")) if isinstance(node, dict) else "in binary form"
        if op not in known.NODES:
            raise Refused(f"TensorFlow's operation {op[:80]} may do more than compute")
        return
    symbol = str(config.get("function"))
    short = symbol[len("compat.v1.") :] if symbol.startswith("compat.v1.") else symbol
    computes = short in known.FUNCTIONS or short.startswith(known.FUNCTIONS_OF)
    if not computes or not all(map(IDENTIFIER.fullmatch, short.split("."))):
        raise Refused(f"tensorflow.{symbol[:80]} may do more than compute")


def _imported(value: Dict[str, Any]) -> Iterator[str]:
    """Whether the name is Keras's own, and under no other name or module than its own."""
    function = value["class_name"] == "function"
    name = str(value.get("config") if function else value["class_name"])
    module, registered = value.get("module"), value.get("registered_name")
    bare = name.rpartition(">")[2]
    if not IDENTIFIER.fullmatch(bare) or not _consistent(registered, bare, function):
        raise Refused(f"{name[:80]!r} is no name that Keras gives")
    builtin = module == "builtins" and not function and bare[:1].isupper()  # of a script: Keras has no class there
    if builtin or not _own(name, module, registered):
        yield bare
    elif function:
        _demand_function(str(module or "builtins"), bare)
    elif isinstance(module, str) and not _of_keras(module, bare):
        raise Refused(f"{module[:80]}.{bare[:80]} is none of a model's parts")


def _consistent(registered: Any, bare: str, function: bool) -> bool:
    """Keras 2 takes a registered name for the class's where the module has none of that name."""
    if registered is None or (function and registered == "function"):
        return True
    return isinstance(registered, str) and registered.rpartition(">")[2] == bare


def _own(name: str, module: Any, registered: Any) -> bool:
    """Whether neither the module nor what a name is registered under is somebody else's."""
    if isinstance(module, str) and not within(module, (*known.MODULES, *known.OPERATIONS)):
        return False
    packages = {str(text).rpartition(">")[0] for text in (name, registered) if text}
    return packages <= set(known.PACKAGES) or not {name, registered}.isdisjoint(known.REGISTERED)


def _demand_function(module: str, name: str) -> None:
    """Functions that take and give tensors; `builtins` is what Keras writes for its own."""
    activation = within(module, FUNCTIONS_OF) and name in known.ACTIVATIONS | known.QUANTIZERS
    if not activation and not within(module, (*known.OPERATIONS, *LOSSES_OF)):
        raise Refused(f"the function {module[:80]}.{name[:80]} is none of a layer's")


def _of_keras(module: str, name: str) -> bool:
    """Whether a module of Keras's, QKeras's or the pruning's has a class of that name: functions are written small."""
    if within(module, known.OPERATIONS):
        return True
    if module.startswith("qkeras") and name in known.QUANTIZERS:
        return True
    root = next((each for each in known.MODULES if "keras" in each and within(module, (each,))), "")
    parts = [part for part in module[len(root) :].split(".") if part not in ("", "src", "api")]
    placed = not parts or not root or root == "qkeras" or within(".".join(parts), PLACES)
    return placed and name[:1].isupper()


def _word(text: str) -> Iterator[str]:
    """A function or quantizer by its name, perhaps with arguments: QKeras calls what it finds by it."""
    called = CALL.fullmatch(text) if len(text) <= LONGEST else None
    if called is None or ("(" in text and called.group(1) not in known.QUANTIZERS):
        raise Refused(f"{text[:80]!r} is no quantizer with literal arguments")
    if called.group(1) not in known.QUANTIZERS | known.ACTIVATIONS:
        yield called.group(1)
