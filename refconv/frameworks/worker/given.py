"""What the command line of the worker alone names: files and sizes, looked at before a framework is started."""

import hashlib
import os
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

Fed = List[Tuple[str, str, np.ndarray]]  # name or "", path, samples


class Usage(Exception):
    """What is wrong with the command, or with a file, in one line."""


def demand_file(path: str, what: str = "file") -> None:
    if os.path.isdir(path):
        raise Usage(f"{path}: this is a folder, not a {what}")
    if not os.path.isfile(path):
        raise Usage(f"{path}: there is no such file")


def demand_place(out: str, *others: str) -> None:
    """A place that a file can be written to, and none of the files that are read."""
    folder = os.path.dirname(os.path.realpath(out))
    if os.path.isdir(out):
        raise Usage(out + ": this is a folder, not a file")
    if not os.path.isdir(folder):
        raise Usage(f"{out}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise Usage(out + ": cannot be written: its folder's permissions forbid it")
    for other in others:
        if os.path.exists(out) and os.path.samefile(out, other):
            raise Usage(f"{out}: the trace would take the place of {other}")


def checksum(path: str, expected: str = "") -> str:
    """The file's SHA-256; "" of none.

    Raises:
        Usage: it cannot be read, or another one was demanded.
    """
    if not path:
        return ""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    except OSError as error:
        raise Usage(f"{path}: cannot be read: {error.strerror}") from None
    found = digest.hexdigest()
    if expected and expected.lower().replace("sha256:", "") != found:
        raise Usage(f"{path}: its SHA-256 is {found}, and {expected} was demanded")
    return found


def fed(texts: Sequence[str]) -> Fed:
    """["x.npy"] or ["a=x.npy", "b=y.npy"] → what the files hold; a file whose own name holds "=" is found as it is."""
    parts = [("", "", text) if os.path.exists(text) or "=" not in text else text.partition("=") for text in texts]
    called, found = [name for name, _, _ in parts], [(name, path) for name, _, path in parts]
    if any(called) and (not all(called) or len(set(called)) < len(called)):
        raise Usage("--input: NAME=FILE.npy once for every input, or FILE.npy for every one")
    arrays = [(name, path, _loaded(path)) for name, path in found]
    if len({len(x) for _, _, x in arrays}) > 1:
        raise Usage("--input: the files hold different numbers of samples")
    return arrays


def in_order(arrays: Fed, names: List[str]) -> Fed:
    """Those of the inputs of these names."""
    said = ", ".join(names)
    if len(arrays) != len(names):
        raise Usage(f"--input: given are {len(arrays)}, and the model has {len(names)}: {said}")
    if not any(name for name, _, _ in arrays):
        return arrays
    by_name = {each[0]: each for each in arrays}
    if sorted(by_name) != sorted(names):
        raise Usage("--input: the inputs are called " + said)
    return [by_name[name] for name in names]


def demand_fit(name: str, array: np.ndarray, taken: np.ndarray, shape: Sequence[Any]) -> None:
    """Whether an input of the model, which has this shape, takes the array, and holds it as `taken`."""
    if len(shape) != array.ndim or any(size not in (None, n) for n, size in zip(array.shape, shape)):
        wanted = ", ".join("?" if size is None else str(size) for size in shape)
        raise Usage(f"--input: {name} takes the shape ({wanted}), and the file's is {array.shape}")
    if array.dtype.kind not in "biuf" or taken.dtype.kind not in "biuf":
        return
    exact = taken.dtype.kind in "biu"
    lost = taken != array if exact else np.isfinite(array) & ~np.isfinite(taken)
    if lost.any():
        raise Usage(f"--input: {name} takes {taken.dtype}, which cannot hold {array[lost][0]!s} of the file")


def named(texts: Sequence[str], read: Callable[[str], Any], option: str) -> Dict[str, Any]:
    """["32,32", "a=16"] → {"": …, "a": …}."""
    found: Dict[str, Any] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            if name in found:
                raise Usage("{}: said twice of {}".format(option, name or "every input"))
            found[name] = read(value)
        except ValueError:
            raise Usage(f"{option}: {text!r} is none") from None
    return found


def sizes(text: str) -> Tuple[int, ...]:
    return tuple(size(each) for each in text.split(","))


def size(text: str) -> int:
    """A positive integer.

    Raises:
        ValueError: it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _loaded(path: str) -> np.ndarray:
    demand_file(path)
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
        said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise Usage(f"{path}: cannot be read: {said}") from None
    if not isinstance(array, np.ndarray) or not array.ndim or not array.size:
        raise Usage(path + ": this is no .npy file with samples")
    return array
