"""The worker is one process for every engine: names in, shards and markers out."""

import json
import os
import subprocess
import sys

import pytest

from gateway.errors import RunError
from gateway.run.execute import execute
from gateway.run.staging import Staging
from gateway.run.worker import parse_tasks


def run_worker(store, run, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "gateway.run.worker", "--store", store.url, "--run", run]
    return subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def begun(go, store):
    """Begin a run and stop it before its first task."""
    plan = go.plan("trial_find", {"peaks": "m1/peaks"}, workers=1, block_voxels=(40, 64, 64))

    class Stop(Exception):  # noqa: N818
        pass

    def stop(event):
        if type(event).__name__ == "PassStarted":
            raise Stop

    with pytest.raises(Stop):
        execute(plan, store, listeners=[stop])
    return plan


def test_tasks_are_computed_by_name_alone(begun, store, go):
    tasks = begun.passes[0].tasks
    assert tasks > 3
    first = run_worker(store, str(begun.run), "--pass", "histogram", "--tasks", "0-1")
    assert first.returncode == 0, first.stderr
    messages = [json.loads(line) for line in first.stdout.splitlines()]
    assert [m["done"] for m in messages if "done" in m] == [0, 1]
    rest = run_worker(store, str(begun.run), "--pass", "histogram", "--tasks", f"0,1-{tasks - 1}")
    done = [json.loads(line) for line in rest.stdout.splitlines()]
    assert [m["done"] for m in done if "done" in m] == list(range(2, tasks))
    assert Staging(store, begun.run).done_tasks("histogram") == frozenset(range(tasks))
    events = []
    result = go("trial_find", {"peaks": "m1/peaks"}, workers=1, listeners=[events.append])
    assert result.resumed
    computed = [e for e in events if type(e).__name__ == "TaskDone" and e.name == "histogram"]
    assert computed == []


@pytest.mark.parametrize(
    ("run", "arguments", "words"),
    [
        ("m1/feedbeef", ("--pass", "histogram", "--tasks", "0"), "no run m1/feedbeef was begun in"),
        ("", ("--pass", "nothing", "--tasks", "0"), "has no pass 'nothing'; it has histogram,"),
        ("", ("--pass", "histogram", "--tasks", "999"), "has no task 999; there are 0 to"),
        ("", ("--pass", "histogram", "--tasks", "1,x"), "'x' is no number or range; expected 0-7"),
    ],
)
def test_a_wrong_name_is_reported_as_a_message(begun, store, run, arguments, words):
    ended = run_worker(store, run or str(begun.run), *arguments)
    assert ended.returncode == 1
    assert words in json.loads(ended.stdout.splitlines()[-1])["error"]


def test_task_numbers_are_read():
    assert parse_tasks("0-3,7,9-9") == (0, 1, 2, 3, 7, 9)
    with pytest.raises(RunError, match="'-' is no number"):
        parse_tasks("-")
