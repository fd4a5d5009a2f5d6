"""The worker's small parts by themselves: budget, names, failures, frames, and what it may import."""

import ast
import io
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import refconv
from refconv.frameworks.bundle import write_bundle
from refconv.frameworks.failure import as_error
from refconv.frameworks.worker.capture import LayerFailure, as_array
from refconv.frameworks.worker.environment import instruction_sets
from refconv.frameworks.worker.failure import explain, first_line
from refconv.frameworks.worker.loading import HDF5, NoDevice, choose_device, rightly_named, true_ending
from refconv.frameworks.worker.passes import Pass, Plan
from refconv.job import Job
from refconv.trace import Trace, read_frames, write_frame

PACKAGE = Path(refconv.__file__).parent
WORKER = [*sorted((PACKAGE / "frameworks" / "worker").glob("*.py")), PACKAGE / "job.py", PACKAGE / "trace.py"]


class Tensor:
    """As much of a float32 tensor as a plan looks at."""

    def __init__(self, elements):
        self.shape = SimpleNamespace(num_elements=lambda: elements)
        self.dtype = SimpleNamespace(size=4)


def test_a_plan_fills_groups_up_to_the_budget():
    plan, a, b, c, huge = Plan(80), Tensor(10), Tensor(10), Tensor(10), Tensor(1000)
    assert plan.place(("one", 0), [a, b]) == 0  # 80 bytes: just fits
    assert plan.place(("two", 0), [b]) == 0  # b is kept once
    assert plan.place(("three", 0), [b, c]) == 1  # b again, for its own layer's sake
    assert plan.place(("four", 0), [huge]) == 2
    assert plan.place(("five", 0), [a]) == 3
    assert (plan.count, plan.group(("four", 0)), plan.group(("never met", 0))) == (4, 2, -1)


def test_a_tensor_of_unknown_shape_counts_as_the_largest_known():
    plan = Plan(100)
    plan.place(("one", 0), [Tensor(20)])
    assert plan.place(("two", 0), [Tensor(None)]) == 1


def test_a_pass_numbers_tensors_whether_or_not_it_keeps_them():
    plan, (a, b, c) = Plan(80), (Tensor(10), Tensor(10), Tensor(10))
    seen = []
    for number in (0, 1):
        record = Pass(number, plan)
        record.begin([a])
        record.take("one", "Dense", [a], [b], 0.0)
        record.take("one", "Dense", [b], [c], 0.0)
        plan.complete = True
        seen += [(call.layer, call.call, call.inputs, call.outputs) for call in record.calls]
    assert seen == [("one", 0, ("0:0",), ("0:1",)), ("one", 1, ("1:1",), ("1:2",))]
    assert set(record.tensors) == {"1:0", "1:1", "1:2"}


def test_a_tensor_that_has_died_leaves_its_number_to_no_other():
    record = Pass(0, Plan(1000))
    record._plan.complete = True  # nothing is kept, so nothing is held
    for _ in range(50):
        record.take("one", "Dense", [Tensor(1)], [], 0.0)
    assert record._key(Tensor(1)) == "0:50"


@pytest.mark.parametrize(
    ("content", "ending"), [(HDF5 + b"...", ".h5"), (b"PK\x03\x04...", ".keras"), (b"", ".model"), (b"text", ".model")]
)
def test_the_ending_is_told_by_the_content(tmp_path, content, ending):
    path = tmp_path / "some.model"
    path.write_bytes(content)
    assert true_ending(str(path)) == ending
    with rightly_named(str(path)) as name:
        assert name.endswith(ending)
        assert Path(name).read_bytes() == content
    assert path.exists()


def test_where_no_link_can_be_made_the_file_is_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("a privilege is not held")

    monkeypatch.setattr("os.symlink", refuse)
    path = tmp_path / "some.model"
    path.write_bytes(HDF5)
    with rightly_named(str(path)) as name:
        assert not Path(name).is_symlink()
        assert Path(name).read_bytes() == HDF5
    assert not Path(name).exists()


def test_devices():
    chosen = []
    config = SimpleNamespace(
        set_visible_devices=lambda devices, kind: chosen.append((devices, kind)), list_physical_devices=lambda kind: []
    )
    tf = SimpleNamespace(config=config, __version__="2.21.0")
    choose_device(tf, "auto")
    assert chosen == []
    choose_device(tf, "cpu")
    assert chosen == [([], "GPU")]
    with pytest.raises(NoDevice, match=r"TensorFlow 2\.21\.0 sees no GPU"):
        choose_device(tf, "gpu")
    config.list_physical_devices = lambda kind: ["a GPU"]
    choose_device(tf, "gpu")


EAGER = """Exception encountered when calling layer 'conv' (type Conv2D).

{{function_node __wrapped__Conv2D}} The Conv2D op only supports NHWC. [Op:Conv2D] name: conv

Call arguments received by layer 'conv' (type Conv2D):"""
GRAPH = """Graph execution error:

Detected at node model/conv/Conv2D defined at (most recent call last):
  File "worker.pyz/recording.py", line 93, in call

The Conv2D op only supports NHWC.
\t [[{{node model/conv/Conv2D}}]] [Op:__inference_traced_565]"""


@pytest.mark.parametrize("message", [EAGER, GRAPH, "The Conv2D op only supports NHWC."])
def test_a_framework_s_message_in_one_line(message):
    assert first_line(ValueError(message)) == "ValueError: The Conv2D op only supports NHWC."


def test_a_message_of_nothing_and_one_without_end():
    assert first_line(ValueError()) == "ValueError"
    assert len(first_line(ValueError("x" * 10_000))) < 400


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LayerFailure("a/b", ValueError("bad")), "m.h5: Keras 2 cannot run layer a/b: ValueError: bad"),
        (LayerFailure("", ValueError("bad")), "m.h5: Keras 2 cannot run this model: ValueError: bad"),
        (
            ModuleNotFoundError("No x", name="tf_keras"),
            "m.h5: needs Keras 2: No x (pip install tf-keras)",
        ),
        (ImportError("ABI", name="tensorflow.python"), "m.h5: Keras 2 cannot be imported: ABI"),
        (NoDevice("no GPU"), "no GPU (use --device cpu, or install TensorFlow with its GPU libraries)"),
        (ValueError("bad"), "m.h5: Keras 2 cannot load this file: ValueError: bad"),
    ],
)
def test_words_for_what_a_worker_reports(error, words):
    told = as_error(explain(error), "m.h5", 2, Trace())
    assert str(told) == words
    assert told.exit_code == 3


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.array(3, np.int64),
        np.zeros((0, 4), np.float16),
        np.array([True, False]),
        np.array([b"ab", b"c"]),
        as_array(np.array([b"ab", b"c"], object)),
        np.array(["\u03b1", "b"]),
    ],
)
def test_frames_bring_an_array_as_it_was(array):
    stream = io.BytesIO()
    write_frame(stream, {"kind": "tensor", "key": "0:0"}, array)
    write_frame(stream, {"kind": "done"})
    (header, got), (last, nothing) = read_frames(io.BytesIO(stream.getvalue()))
    assert (header["key"], last["kind"], nothing) == ("0:0", "done", None)
    assert got.dtype == array.dtype
    np.testing.assert_array_equal(got, array)


def test_a_stream_cut_inside_a_frame_is_told():
    stream = io.BytesIO()
    write_frame(stream, {"kind": "tensor"}, np.ones(3))
    with pytest.raises(EOFError):
        list(read_frames(io.BytesIO(stream.getvalue()[:-1])))


def test_a_job_survives_its_line():
    job = Job("a \u03b1\n.h5", 2, ["x.npy"], mode="xla", budget=7)
    assert "\n" not in job.to_json()
    assert Job.from_json(job.to_json()) == job


def test_instruction_sets_are_ones_that_this_system_tells():
    cpuinfo = Path("/proc/cpuinfo")
    told = cpuinfo.read_text() if cpuinfo.exists() else ""
    assert all(name in told for name in instruction_sets())


@pytest.mark.parametrize("path", WORKER, ids=lambda path: path.name)
def test_what_runs_elsewhere_is_python_3_8_and_needs_little(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    allowed = {"numpy", "h5py", "tensorflow", "ml_dtypes"} | sys.stdlib_module_names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in names:
                carried = name in ("refconv.job", "refconv.trace") or name.startswith("refconv.frameworks.worker")
                assert carried or name.split(".")[0] in allowed


def test_the_bundle_holds_the_worker_and_nothing_else(tmp_path):
    with zipfile.ZipFile(write_bundle(tmp_path / "worker.pyz")) as archive:
        names = set(archive.namelist())
        assert archive.read("refconv/frameworks/__init__.py") == archive.read("refconv/__init__.py") == b""
    carried = {f"refconv/{path.relative_to(PACKAGE).as_posix()}" for path in WORKER}
    assert names == carried | {"__main__.py", "refconv/__init__.py", "refconv/frameworks/__init__.py"}
