"""The pytest plugin: what it costs, what it asks, what it writes, and that it fails where a model is wrong."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from support.results import RESULTS

import refconv
from refconv.errors import BadInput, UnreadableModel
from refconv.frameworks.pool import kind
from refconv.report import html_report, junit
from refconv.testing import checking

pytest_plugins = ["pytester"]

SAMPLES = Path(refconv.__file__).parent / "samples"
HERE = Path(refconv.__file__).parents[1]
INSTALLED = any(entry.value == "refconv.testing.plugin" for entry in entry_points(group="pytest11"))
PLUGIN = [] if INSTALLED else ["-p", "refconv.testing.plugin"]
ALONE = ["-p", "no:cacheprovider", "-p", "no:randomly", *PLUGIN]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What a test with `pytester` imports is forgotten after it: rich twice, in part, does not know itself."""
    checking.text(RESULTS["fail"])
    html_report.render(RESULTS["fail"])
    junit.render(RESULTS["fail"])


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Where the tests of a user are; refconv is imported from where this test has it."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return pytester


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list:
    """What `refconv.check` was called with; what it answers is the result of the model's name."""
    calls = []

    def check(model, inputs=None, **more):
        calls.append((model, inputs, more["options"], more["pool"]))
        if isinstance(RESULTS.get(model), Exception):
            raise RESULTS[model]
        return RESULTS[model]

    monkeypatch.setattr(refconv, "check", check)
    return calls


def test_references_are_run_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[str] = []
    monkeypatch.setattr("refconv.pipeline.code.run_references", ran.extend)
    with checking.Run(None) as session:  # type: ignore[arg-type]
        for files in (["a.py"], ["a.py", "b.py"], []):
            session._register(files)
    assert ran == ["a.py", "b.py"]


def test_what_a_trace_decided_is_not_said_again(asked: list, inner: pytest.Pytester) -> None:
    inner.makepyprojecttoml("[tool.refconv]\nsamples = 7\nlenient = true\n")
    done = run(
        inner,
        """
        def test_right(refconv_check):
            refconv_check("pass", trace="run.trace.h5")
        def test_both(refconv_check):
            refconv_check("pass", trace="run.trace.h5", mode="eager")
        """,
    )
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*mode and trace exclude each other*"])
    ((_, _, options, _),) = asked
    assert (options.trace, options.samples, options.policy.lenient) == ("run.trace.h5", 2, True)


def run(inner: pytest.Pytester, code: str, *arguments: str) -> pytest.RunResult:
    inner.makepyfile(test_it=code)
    return inner.runpytest_inprocess(*ALONE, *arguments)


LIGHT = """
import json, sys
def test_of_something_else():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""
HEAVY = ("numpy", "h5py", "tensorflow", "keras", "tf_keras", "numba", "rich", "click", "jinja2", "tomllib")


def test_a_run_that_checks_nothing_imports_nothing(inner):
    inner.makepyfile(test_it=LIGHT)
    inner.runpytest_subprocess(*ALONE, "--strict-markers").assert_outcomes(passed=1)
    modules = json.loads((inner.path / "modules.json").read_text())
    assert "refconv.testing.plugin" in modules
    assert not set(modules) & set(HEAVY[:-1])  # pytest itself reads its settings with tomllib
    assert {m for m in modules if m.split(".")[0] == "refconv"} == {
        "refconv",
        "refconv.testing",
        "refconv.testing.plugin",
    }


def test_pytest_is_no_dependency_of_refconv_and_the_plugin_is_declared():
    import tomllib

    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    assert not any(name.startswith("pytest") for name in project["dependencies"])
    assert project["entry-points"]["pytest11"] == {"refconv": "refconv.testing.plugin"}


def test_the_marker_and_the_options_are_known(inner):
    run(inner, "", "--markers").stdout.fnmatch_lines(["@pytest.mark.refconv([*][*]options): *"])
    run(inner, "", "--help").stdout.fnmatch_lines(["*--refconv-device=DEVICE*", "*--refconv-report=DIR*"])


def test_options_come_from_the_check_then_the_marker_then_pytest_then_the_settings(inner, asked):
    inner.makepyprojecttoml(
        '[tool.refconv]\nsamples = 5\nseed = 6\ndevice = "gpu"\nlayer = ["a", "b"]\nallow-unverified = true\n'
        "no-progress = true\n"
    )
    code = """
        import pytest
        pytestmark = pytest.mark.refconv(seed=1, mode="eager")

        @pytest.mark.refconv(seed=8, timeout=9)
        def test_it(refconv_check):
            refconv_check("pass", samples=3)
            refconv_check("pass", [[1]], shapes=["8,8"], layer="c*", memory="2GB")
    """
    run(inner, code, "--refconv-device", "cpu", "--strict-markers").assert_outcomes(passed=1)
    (_, nothing, first, pool), (_, inputs, second, same) = asked
    assert pool is same and isinstance(pool, refconv.Pool)  # one for the whole run
    with pytest.raises(ValueError, match="closed"):
        pool.take(kind(3, None, 0))
    assert nothing is None and inputs == [[1]]
    assert (first.samples, first.seed, first.mode, first.timeout) == (3, 8, "eager", 9.0)
    assert (first.device, first.layers, first.policy.allow_unverified) == ("cpu", ("a", "b"), True)
    assert (second.samples, second.shapes, second.layers, second.memory) == (5, {"": (8, 8)}, ("c*",), 2 * 10**9)


@pytest.mark.parametrize("name", ["fail", "suspect", "degraded", "incomplete", "vacuous", "plain wrong", "nothing"])
def test_what_does_not_pass_fails_with_the_report(inner, asked, name):
    code = f"def test_it(refconv_check):\n    refconv_check({name!r})\n    raise SystemExit('it went on')"
    found = run(inner, code)
    found.assert_outcomes(failed=1)
    verdict = RESULTS[name].verdict.upper()
    found.stdout.fnmatch_lines([f"E  *AssertionError: {verdict}: model.h5", "E  *model.h5 (hdf5, Keras 2.4.0*"])
    found.stdout.no_fnmatch_line("*checking.py*")
    found.stdout.no_fnmatch_line("*it went on*")


@pytest.mark.parametrize("name", ["pass", "accepted", "selection"])
def test_what_passes_gives_the_result(inner, asked, name):
    run(inner, f"def test_it(refconv_check):\n    assert refconv_check({name!r}).verdict == 'pass'").assert_outcomes(
        passed=1
    )


def test_layers_that_pass_have_no_line_and_those_that_do_not_are_all_there():
    told = checking.text(RESULTS["incomplete"])
    assert told.startswith("INCOMPLETE: model.h5\n")
    assert "own " in told and "no reference for Own" in told and "\nconv " not in told
    assert "INCOMPLETE  2 layers: 1 unverified, 1 within" in told
    assert not any(line != line.rstrip() or len(line) > checking.COLUMNS for line in told.splitlines())


def test_a_file_that_cannot_be_read_is_one_line_without_what_is_inside_refconv(inner, asked, monkeypatch):
    error = UnreadableModel("no \x1b[1mHDF5", where="a.h5")
    error.add_note("the framework's last line")
    monkeypatch.setitem(RESULTS, "damaged", error)
    code = "def test_it(refconv_check): refconv_check('damaged')"
    told = run(inner, code, "-v")
    told.stdout.fnmatch_lines(["E  *the framework's last line"])
    found = run(inner, code)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["E  *refconv.errors.UnreadableModel: a.h5: no \\x1b?1mHDF5"])
    for noise in ("*checking.py*", "*the framework's last line*"):
        found.stdout.no_fnmatch_line(noise)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 3}, "mine: 'sample' is no option .*samples"),
        ({"mode": "fast"}, r"mine\(mode=…\): 'fast' is not one of"),
        ({"samples": 0}, "0 is not in the range"),
        ({"samples": "many"}, "'many' is not a valid integer"),
        ({"json": "x.json"}, "'json' is no option"),
    ],
)
def test_an_option_that_is_wrong_is_named(options, message):
    with pytest.raises(BadInput, match=message):
        checking.parameters(options, "mine")


def test_a_marker_takes_no_positional_options(inner, asked):
    code = "import pytest\n@pytest.mark.refconv('cpu')\ndef test_it(refconv_check): refconv_check('pass')"
    run(inner, code).stdout.fnmatch_lines(["E *BadInput: @pytest.mark.refconv: takes options by name*"])
    assert asked == []


def test_reports_have_names_of_their_own_in_the_folder_whatever_a_test_is_called(inner, asked):
    code = """
        import pytest
        @pytest.mark.parametrize("name", ["../../up", "a b", "x" * 300])
        def test_it(refconv_check, name, monkeypatch, tmp_path):
            refconv_check("pass")
            monkeypatch.chdir(tmp_path)
            refconv_check("pass")
    """
    run(inner, code, "--refconv-report", "deep/reports").assert_outcomes(passed=3)
    files = sorted(path.name for path in (inner.path / "deep" / "reports").iterdir())
    assert len(files) == 12 and all(name.startswith("test_it.py__test_it") for name in files)
    assert {path.suffix for path in inner.path.rglob("deep/reports/*")} == {".xml", ".html"}
    page = next((inner.path / "deep" / "reports").glob("*.html")).read_text()
    assert "pytest &#39;test_it.py::test_it[" in page or "pytest 'test_it.py::test_it[" in page


def test_the_page_has_pictures_only_where_a_report_is_asked_for(inner, asked):
    code = "def test_it(refconv_check): refconv_check('fail')"
    run(inner, code).assert_outcomes(failed=1)
    run(inner, code, "--refconv-report", "r").assert_outcomes(failed=1)
    assert [options.spread for _, _, options, _ in asked] == [False, True]
    assert len(list((inner.path / "r").iterdir())) == 2  # also of a check that fails


CONFTEST = f"""
import sys
sys.path[:0] = {[str(HERE), str(HERE / "tests")]!r}
import refconv
from support.results import RESULTS
refconv.check = lambda model, inputs=None, **more: RESULTS[model]
"""


def test_under_xdist_every_worker_reports(inner):
    inner.makeconftest(CONFTEST)
    inner.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.parametrize("name", ["pass", "fail", "pass", "accepted"])
        def test_it(refconv_check, name):
            refconv_check(name)
    """
    )
    found = inner.runpytest_subprocess(*ALONE, "-n", "2", "--refconv-report", "r")
    found.assert_outcomes(passed=3, failed=1)
    assert len(list((inner.path / "r").iterdir())) == 8


REAL = """
import numpy as np
import pytest
import tensorflow as tf
import keras

DIGITS = {digits!r}


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    x = keras.Input((8, 8, 2))
    y = keras.layers.Conv2D(3, 3, strides=2, padding="same", bias_initializer="normal", name="conv")(x)
    y = keras.layers.ReLU(name="relu")(y)
    return keras.Model(x, keras.layers.Dense(4, name="dense")(keras.layers.Flatten(name="flat")(y)))


class SwappedConv(keras.layers.Conv2D):
    '''SAME's odd zero on the other side.'''

    def call(self, x):
        y = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 0], [1, 0], [0, 0]]), self.kernel, 2, "VALID")
        return y + self.bias


def test_live(refconv_check, model):
    weights, attributes = model.get_weights(), dict(vars(model))
    found = refconv_check(model)
    assert found.verdict == "pass" and found.counts["verified"] == 4
    assert all(map(np.array_equal, weights, model.get_weights()))
    assert vars(model) == attributes
    refconv_check(model, np.ones((3, 8, 8, 2), "float32"), mode="eager")
    assert vars(model) == attributes


def test_wrong_conv(refconv_check, model):
    conv = model.get_layer("conv")
    conv.call = SwappedConv.call.__get__(conv)
    refconv_check(model)


def test_own_class(refconv_check):
    x = keras.Input((8, 8, 2))
    refconv_check(keras.Model(x, SwappedConv(3, 3, strides=2, padding="same", name="own")(x)))


def test_tampered_weight(refconv_check, model):
    conv = model.get_layer("conv")
    kernel = conv.kernel.numpy()
    kernel[1, 1, 0, 2] *= 1.001
    conv.call = lambda x: tf.nn.conv2d(x, kernel, 2, "SAME") + conv.bias
    refconv_check(model)


def test_tampered_file(refconv_check):
    refconv_check(DIGITS, sha256="00" * 32)


@pytest.mark.parametrize("file", ["until.toml", "expired.toml"])
def test_known(refconv_check, model, file):
    conv = model.get_layer("conv")
    conv.call = SwappedConv.call.__get__(conv)
    refconv_check(model, accepted=file)


def test_subclassed(refconv_check, model):
    class Own(keras.Model):
        def call(self, x):
            return model(x)

    own = Own()
    own(np.ones((1, 8, 8, 2)))
    refconv_check(own)
"""
KNOWN = '[[accepted]]\nmodel = "*"\nlayer = "conv"\nrule = "RC201"\nreason = "ticket 7"\nexpires = {}\n'


def test_real_models_right_and_wrong(inner, monkeypatch):
    """One process for all questions that need a framework."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    inner.makepyfile(test_real=REAL.format(digits=str(SAMPLES / "digits.keras")))
    for name, day in (("until", "2999-01-01"), ("expired", "2020-01-01")):
        (inner.path / f"{name}.toml").write_text(KNOWN.format(day))
    found = inner.runpytest_subprocess(*ALONE, "-W", "error", "-W", "ignore::DeprecationWarning", "-rA")
    found.assert_outcomes(passed=2, failed=6)
    for line in (
        "*test_wrong_conv*",
        "E *AssertionError: FAIL: *",
        "E *conv * Conv2D *mismatch*",
        "E *RC201 SAME padding on the other side*",
        "*test_own_class*",
        "E *AssertionError: INCOMPLETE: *",
        "E *no reference for *SwappedConv, which is no layer of Keras*",
        "*test_tampered_weight*",
        "E *AssertionError: FAIL: *",
        "E *RC*",
        "*test_tampered_file*",
        "E *UnreadableModel: *its SHA-256 is *",
        "*test_known?expired.toml?*",
        "E *NO LONGER accepted since 2020-01-01: ticket 7*",
        "*test_subclassed*",
        "E *BadInput: *Own is a subclassed model: only its code says*",
    ):
        found.stdout.fnmatch_lines([line])
    for noise in ("*refconv/pipeline/*", "*checking.py*", "*site-packages/tensorflow*", "*WARNING:tensorflow*"):
        found.stdout.no_fnmatch_line(noise)
