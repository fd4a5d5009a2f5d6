"""Workers that are kept: which serve on, which are ended, and that none is left."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from support.framework import stand_in

import refconv
from refconv.errors import FrameworkError
from refconv.frameworks import Pool, Worker

# A framework that imports at once. What it does with a model, the model's name says.
STANDS_IN = """
import os, time
import refconv.frameworks.worker.__main__ as main
main.import_framework.__globals__["importlib"].import_module = lambda name: type("keras", (), {"__version__": "3.1"})
STATE = {"policy": "float32"}

def work(framework, job, channel):
    name = os.path.basename(job.model)
    channel.send("environment", environment={"pid": os.getpid(), "forgotten": FORGOTTEN[0]})
    if name == "policy":
        STATE["policy"] = "mixed_float16"
    if name == "crash":
        os._exit(7)
    if name == "hang":
        time.sleep(60)
    if name == "fail":
        raise ValueError("no such layer")

FORGOTTEN = [0]
def forget(framework):
    FORGOTTEN[0] += 1

main.work, main.forget, main.state = work, forget, lambda framework: dict(STATE)
"""
X = np.zeros((1, 2), np.float32)


@pytest.fixture
def pool(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, STANDS_IN)
    with Pool() as pool:
        yield pool


def served(pool, model, timeout=20.0, read=True, code=(), **kind):
    """The process that answered, and the worker's trace environment."""
    with Worker(3, pool=pool, **kind) as worker:
        stream = worker.stream(model, [X], timeout=timeout, code=code)
        if read:
            stream.all()
        else:
            stream.more()
        return worker.pid, stream.trace.environment


def test_the_second_check_is_served_by_the_same_process_which_forgot_the_first(pool):
    first, before = served(pool, "a")
    assert pool.waiting == 1
    second, after = served(pool, "b")
    assert first == second == after["pid"]
    assert (before["forgotten"], after["forgotten"]) == (0, 1)


def test_without_a_pool_each_check_has_its_own(pool):
    assert served(None, "a")[0] != served(None, "b")[0]


def test_an_answer_that_nobody_read_to_its_end_is_not_the_next_check_s(pool):
    first, _ = served(pool, "a", read=False)
    assert served(pool, "b") == (first, {"pid": first, "forgotten": 1})


@pytest.mark.parametrize("model", ["policy", "fail", "crash"])
def test_a_process_that_is_not_what_it_was_is_replaced(pool, model):
    with Worker(3, pool=pool) as worker:
        first = worker.pid
        stream = worker.stream(model, [X], timeout=20)
        if model == "policy":
            stream.all()
        else:
            with pytest.raises(FrameworkError):
                stream.all()
    assert pool.waiting == 0 and not exists(first)
    assert served(pool, "a")[0] != first


def test_a_process_that_ran_code_of_the_user_s_is_replaced(pool):
    first, _ = served(pool, "a", code=["layers.py"])
    assert pool.waiting == 0 and not exists(first)


def test_a_process_that_exceeds_its_time_is_replaced(pool):
    with pytest.raises(FrameworkError, match="did not finish"):
        served(pool, "hang", timeout=0.5)
    assert pool.waiting == 0
    served(pool, "a")


def test_a_check_that_ends_in_an_error_before_the_worker_was_asked_leaves_it(pool):
    with pytest.raises(ValueError, match="of the caller"), Worker(3, pool=pool) as worker:
        first = worker.pid
        raise ValueError("of the caller")
    assert served(pool, "a")[0] == first


def test_a_check_that_ends_in_an_error_midway_ends_its_worker(pool):
    with pytest.raises(ValueError, match="of the caller"), Worker(3, pool=pool) as worker:
        worker.stream("hang", [X], timeout=20)
        raise ValueError("of the caller")
    assert pool.waiting == 0 and not exists(worker.pid)


@pytest.mark.parametrize(
    "other", [{"device": "cpu"}, {"memory": 8 << 30}, {"switches": {"TF_ENABLE_ONEDNN_OPTS": "0"}}]
)
def test_a_worker_of_another_kind_is_another_process(pool, other):
    first, _ = served(pool, "a")
    second, _ = served(pool, "a", **other)
    assert first != second
    assert served(pool, "a")[0] == first
    assert served(pool, "a", **other)[0] == second


def test_no_more_wait_than_are_kept(pool):
    pids = [served(pool, "a", memory=size << 30)[0] for size in (6, 7, 8)]
    assert pool.waiting == 2
    assert [exists(pid) for pid in pids] == [False, True, True]


def test_one_that_was_killed_while_it_waited_is_replaced(pool):
    first, _ = served(pool, "a")
    os.kill(first, signal.SIGKILL)
    ((_, child, _),) = pool._waiting
    until = time.monotonic() + 10
    while child.alive() and time.monotonic() < until:  # its threads end one after another
        time.sleep(0.01)
    assert served(pool, "a")[0] != first


def test_one_that_waits_too_long_is_ended(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, STANDS_IN)
    with Pool(idle=0.05) as pool:
        first, _ = served(pool, "a")
        until = time.monotonic() + 10
        while exists(first) and time.monotonic() < until:
            time.sleep(0.02)
        assert pool.waiting == 0 and not exists(first)


def test_a_closed_pool_keeps_nothing(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, STANDS_IN)
    with Pool() as pool:
        first, _ = served(pool, "a")
        with Worker(3, pool=pool) as used:
            pool.close()
            assert used.pid == first and exists(first)
        assert not exists(first)
    with pytest.raises(ValueError, match="closed"):
        served(pool, "a")


def exists(pid):
    return Path(f"/proc/{pid}").exists()


def test_real_checks_are_served_by_one_process_and_give_what_single_ones_give():
    """One file twice, and between them another of the same Keras, with classes of its own."""
    samples = Path(refconv.__file__).parent / "samples"
    pids, results = [], []
    with Pool() as pool:
        for name in ("digits.h5", "digits_qkeras.h5", "digits.h5"):
            results.append(refconv.check(samples / name, pool=pool, device="cpu"))
            pids.append([child.pid for _, child, _ in pool._waiting])
    assert len(pids[0]) == 1 and pids == pids[:1] * 3
    assert [result.verdict for result in results] == ["pass"] * 3
    first, _, last = ([layer.outputs for layer in result.layers] for result in results)
    assert first == last
