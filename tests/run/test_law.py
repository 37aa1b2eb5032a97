"""The law: any block shape, any workers, killed and resumed, the same digests."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import RunCancelledError
from gateway.run.events import TaskDone

BLOCKS = st.tuples(st.integers(17, 90), st.integers(17, 170), st.integers(17, 220))
TOOLS = {
    "trial_blur": ({"image": "m1/{}"}, {"radius": 3}),
    "trial_find": ({"peaks": "m1/{}", "labels": "m1/{}-labels"}, {"crop": 7}),
}


@pytest.fixture
def digests(go, store):
    """Run a tool under a fresh name and return the digests, everything else deleted again."""
    count = iter(range(10**6))

    def run(tool, **options):
        outputs, params = TOOLS[tool]
        name = f"out{next(count)}"
        named = {port: ref.format(name) for port, ref in outputs.items()}
        result = go(tool, named, params, **options)
        assert ".staging" not in store.list("m1").folders
        return {port: output.digest for port, output in result.outputs.items()}

    return run


@pytest.mark.parametrize("tool", TOOLS)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(block=BLOCKS, memory=st.integers(600, 2000))
def test_the_block_shape_changes_nothing(digests, tool, block, memory):
    whole = digests(tool, workers=1)
    assert digests(tool, workers=1, block_voxels=block, memory_bytes=memory * 10**6) == whole


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_changes_nothing(digests, tool, workers):
    whole = digests(tool, workers=1)
    assert digests(tool, workers=workers, block_voxels=(30, 64, 50)) == whole


def children():
    return [child for child in psutil.Process().children(recursive=True) if is_worker(child)]


def is_worker(process):
    try:
        return "gateway.run.worker" in " ".join(process.cmdline())
    except psutil.Error:  # it ended between the two looks
        return False


@pytest.mark.parametrize("tool", TOOLS)
def test_a_killed_worker_changes_nothing(digests, tool):
    whole = digests(tool, workers=1)
    chance = np.random.default_rng(7)
    kills = []

    def kill(event):
        if isinstance(event, TaskDone) and len(kills) < 2 and chance.random() < 0.5:
            victim = chance.choice(alive) if (alive := children()) else None
            if victim is not None:
                victim.send_signal(signal.SIGKILL)
                kills.append(victim)

    options = {"workers": 2, "block_voxels": (30, 64, 50)}
    assert digests(tool, listeners=[kill], **options) == whole
    assert kills


SCRIPT = """
import os, signal, sys, threading
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.store import open_store
url, tool, name, workers, block, events, delay = sys.argv[1:8]
store, spec = open_store(url), get_tool(tool)
outputs = {"trial_blur": {"image": name}, "trial_find": {"peaks": name, "labels": name + "-labels"}}
params = {"trial_blur": {"radius": 3}, "trial_find": {"crop": 7}}
call = make_call(spec, {"image": "m1/raw"}, outputs[tool], params[tool])
shape = tuple(int(n) for n in block.split(","))
plan = make_plan(spec, call, store, RunOptions(workers=int(workers), block_voxels=shape))
left = iter(range(int(events) - 1, -1, -1))
def burn(_event):
    if next(left, None) == 0:
        threading.Timer(float(delay), os.kill, (os.getpid(), signal.SIGKILL)).start()
result = execute(plan, store, listeners=[burn])
print("\\n".join(f"{port} {output.digest}" for port, output in result.outputs.items()))
"""


def start(store, tool, workers, block, fuse, *, script=SCRIPT):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [
        sys.executable,
        "-c",
        script,
        store.url,
        tool,
        "m1/killed",
        str(workers),
        block,
        *fuse,
    ]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_a_run_killed_again_and_again_ends_with_the_same(digests, store, tool):
    """The run kills itself shortly after some event; its workers have to follow it."""
    whole = digests(tool, workers=1)
    chance = np.random.default_rng(11)
    kills = 0
    for attempt in range(6):
        block = ",".join(str(chance.integers(20, 80)) for _ in range(3))
        fuse = (str(chance.integers(1, 6) if attempt < 4 else 1000), f"{chance.random() / 20:f}")
        process = start(store, tool, 1 + attempt % 3, block, fuse)
        out, err = process.communicate(timeout=150)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        kills += 1
    assert kills
    assert dict(line.split() for line in out.splitlines()) == whole
    assert ".staging" not in store.list("m1").folders
    wait_until_gone(store.url)


@pytest.mark.parametrize("workers", [1, 2])
def test_control_c_stops_the_run_and_its_workers(store, workers):
    script = SCRIPT.replace("signal.SIGKILL", "signal.SIGINT")
    process = start(store, "trial_blur", workers, "9,9,9", ("3", "0.0"), script=script)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "RunCancelledError: trial_blur was stopped; run the same command again" in err
    assert store.list("m1").folders == (".staging", "raw.ome.zarr")
    wait_until_gone(store.url)


def wait_until_gone(url):
    for _ in range(200):
        lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        if not any("gateway.run.worker" in line and url in line for line in lines):
            return
        time.sleep(0.1)
    pytest.fail("a worker outlives the run that started it")


def test_a_cancelled_run_keeps_what_is_done_and_goes_on(go, digests):
    whole = digests("trial_blur", workers=1)
    cancel = threading.Event()
    done = []

    def stop(event):
        if isinstance(event, TaskDone):
            done.append(event.task)
            cancel.set()

    settings = {"radius": 3}
    for workers in (1, 2):
        cancel.clear()
        with pytest.raises(RunCancelledError, match="run the same command again to continue"):
            go(
                "trial_blur",
                {"image": "m1/part"},
                settings,
                workers=workers,
                cancel=cancel,
                listeners=[stop],
            )
    events = []
    result = go("trial_blur", {"image": "m1/part"}, settings, workers=1, listeners=[events.append])
    assert result.resumed
    assert events[0].tasks_done >= len(done)
    assert not {e.task for e in events if isinstance(e, TaskDone) and e.name == "trial_blur"} & set(
        done
    )
    assert {"image": result.outputs["image"].digest} == whole


def test_cancelling_stops_at_once(go):
    cancel = threading.Event()
    threading.Timer(1.5, cancel.set).start()
    started = time.perf_counter()
    with pytest.raises(RunCancelledError):
        go("trial_blur", {"image": "m1/x"}, {"delay_s": 10}, workers=2, cancel=cancel)
    assert time.perf_counter() - started < 5
    assert not children()
