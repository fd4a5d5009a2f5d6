"""reproduce.py: what runs a saved case with the framework and NumPy alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refconv.pipeline.reducing.result import Saved
from refconv.report.reduction.backends import BACKENDS, name_of

PACKAGES = {2: "tf_keras", 3: "keras"}


def render(case: Saved, title: str, model: str, inputs: Sequence[str], modules: Sequence[str]) -> str:
    """The script.

    Args:
        title: one line: what is wrong.
        model, inputs: names of the files beside it.
        modules: of the user's code beside it.
    """
    parts = [_head(case, title), *_imports(case, modules), "", "", *_loaded(case, model, modules), *_run(case, inputs)]
    backend = name_of(case.environment)
    return "\n".join([*parts, TAIL.replace("VERSION", f'"{backend}", {BACKENDS[backend].version}')])


def _head(case: Saved, title: str) -> str:
    found = case.environment
    name, package = name_of(found), str(found.get("keras_package") or "keras")
    title_of = BACKENDS[name].title
    versions = ", ".join(
        f"{label} {found[key]}"
        for label, key in ((title_of, name), (package, "keras"), ("NumPy", "numpy"))
        if found.get(key)
    )
    return (
        f'"""{_plain(title)}.\n\n'
        f"It needs NumPy, {title_of} and {package}, and the files beside it ({versions}, when found).\n"
        "It prints what the framework gives and what is expected. Exit code 1 while they differ, 0 once they agree.\n"
        '"""\n'
    )


def _plain(text: str) -> str:
    """Text of a file as text of a comment."""
    return text.replace("\\", "/").replace('"', "'").replace("\n", " ")


def _imports(case: Saved, modules: Sequence[str]) -> Iterator[str]:
    yield "import os"
    yield "import sys"
    yield "from pathlib import Path"
    yield ""
    backend = name_of(case.environment)
    own = BACKENDS[backend]
    chosen = {"KERAS_BACKEND": backend} if case.keras == 3 else {"TF_USE_LEGACY_KERAS": "1"}
    for name, value in {**own.variables(case.environment), **chosen}.items():
        said = "  # as when it was found" if name == "TF_ENABLE_ONEDNN_OPTS" else ""
        yield f'os.environ.setdefault("{name}", "{value}"){said}'
    yield ""
    yield "import numpy as np"
    yield own.imported
    yield ""
    package = PACKAGES[case.keras]
    if case.keras == 2 and case.environment.get("keras_package") == "keras":  # TensorFlow up to 2.15
        package = "keras"
    yield f"import {package} as keras" if package != "keras" else "import keras"
    yield ""
    yield from own.switches(case.environment)
    yield "HERE = Path(__file__).resolve().parent"
    if modules:
        yield "sys.path.insert(0, str(HERE))"
        yield from (f"import {name}  # noqa: E402, the layers' own code" for name in modules)


def _loaded(case: Saved, model: str, modules: Sequence[str]) -> Iterator[str]:
    yield "def load():"
    yield '    """The model, as its user loads it."""'
    known = ", ".join(f'"{name}"' for name in dict.fromkeys(n.rpartition(">")[2] for n in case.names))
    if case.qkeras:
        yield "    from qkeras.utils import _add_supported_quantized_objects"
        yield ""
        yield "    objects = {}"
        yield "    _add_supported_quantized_objects(objects)"
    elif known and modules:
        yield f"    modules = [{', '.join(modules)}]"
        yield f"    objects = {{name: getattr(m, name) for m in modules for name in [{known}] if hasattr(m, name)}}"
    own = ", custom_objects=objects" if case.qkeras or (known and modules) else ""
    yield f'    model = keras.models.load_model(str(HERE / "{model}"), compile=False{own})'
    if case.at:
        yield f"    model = keras.Model(model.inputs, model.get_layer({case.at!r}).output)"
    if case.mode == "eager":
        yield "    model.run_eagerly = True  # as when it was found"
    yield "    return model"
    yield ""
    yield ""


def _run(case: Saved, inputs: Sequence[str]) -> Iterator[str]:
    yield "def run(model):"
    yield '    """The model\'s only output."""'
    names = ", ".join(f'"{name}"' for name in inputs)
    yield f"    inputs = [np.load(HERE / name) for name in [{names}]]"
    yield "    given = inputs[0] if len(inputs) == 1 else inputs"
    if case.mode == "xla" and name_of(case.environment) == "tensorflow":  # predict is that on JAX
        yield "    got = tf.function(lambda x: model(x, training=False), jit_compile=True)(given)"
    else:
        yield "    got = model.predict(given, batch_size=len(inputs[0]), verbose=0)"
    yield "    return np.asarray(got[0] if isinstance(got, (list, tuple)) else got)"


TAIL = """

def main():
    got = run(load()).astype(np.float64)
    expected, allowed = np.load(HERE / "expected.npy"), np.load(HERE / "allowed.npy")
    if got.shape != expected.shape:
        print(f"the output has shape {got.shape}, expected {expected.shape}")
        return 1
    error = np.abs(got - expected)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    wrong = ~(same | (error <= allowed))  # NaN is wrong unless it is expected
    if got.size <= 64:
        print("got     ", got.ravel().tolist())
        print("expected", expected.ravel().tolist())
    print(f"{np.count_nonzero(wrong)} of {wrong.size} values are wrong")
    if not wrong.any():
        print("the framework gives what is expected")
        return 0
    at = np.unravel_index(np.argmax(np.where(wrong, np.nan_to_num(error, nan=np.inf), -1)), wrong.shape)
    print(f"at {[int(i) for i in at]}: got {got[at]:.9g}, expected {expected[at]:.9g}")
    print(f"off by {error[at]:.3g}, allowed {allowed[at]:.3g}")
    return 1


if __name__ == "__main__":
    print(VERSION, " keras", keras.__version__, " numpy", np.__version__)
    sys.exit(main())
"""
