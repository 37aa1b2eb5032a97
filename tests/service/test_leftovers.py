"""What stopped runs left: found, given up, and never taken from a run that goes on."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import RunCancelledError, RunError
from gateway.run.lock import RunLock
from gateway.run.staging import Staging
from gateway.service.doctor import examine
from gateway.service.leftovers import count_idle, find_leftovers, give_up, mark_lost_runs
from gateway.service.runs import run_options, run_tool
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool

SOFT = ("smooth_gaussian", {"image": "m1/raw"}, {"image": "m1/soft"}, {"sigma_um": 2.0})


@pytest.fixture
def stopped(bench, source_file):
    """Leave a run that was cancelled after its first task."""
    inputs, settings = {"source": str(source_file)}, {"voxel_um": "[2, 1, 1]"}
    bench.run("ingest_volume", inputs, {"image": "m1/raw"}, settings)
    return stop_run(bench)


def stop_run(bench):
    gateway, cancel = bench.gateway, threading.Event()
    tool, inputs, outputs, params = SOFT
    call = make_call(get_tool(tool), inputs, outputs, params)

    def hear(event):
        if type(event).__name__ == "PassStarted":
            cancel.set()

    with pytest.raises(RunCancelledError):
        run_tool(gateway, call, run_options(gateway, workers=1), [hear], cancel)
    (left,) = find_leftovers(gateway)
    return left


def test_a_stopped_run_is_found_with_what_it_keeps(bench, stopped):
    assert stopped.tool == "smooth_gaussian"
    assert stopped.outputs == ("m1/soft",)
    assert stopped.bytes > 100
    assert not stopped.busy
    assert abs(datetime.now(UTC) - stopped.changed) < timedelta(minutes=10)
    assert json.loads(json.dumps(stopped.to_json()))["run"] == str(stopped.run)
    assert find_leftovers(bench.gateway, timedelta(days=1)) == []


def test_what_was_given_up_is_gone_and_the_record_says_so(bench, stopped):
    gateway = bench.gateway
    give_up(gateway, stopped)
    assert find_leftovers(gateway) == []
    assert gateway.store.list("m1").folders == ("raw.ome.zarr", "raw.report")
    record = gateway.catalogue.run(stopped.run_id)
    assert record.status == "failed"
    assert "given up" in record.error
    tool, inputs, outputs, params = SOFT
    assert not bench.run(tool, inputs, outputs, params).resumed


def test_a_run_under_way_is_not_given_up(bench, stopped):
    gateway = bench.gateway
    with RunLock(Staging(gateway.store, stopped.run)):
        (seen,) = find_leftovers(gateway)
        assert seen.busy.startswith("process ")
        with pytest.raises(RunError, match="is being run by process"):
            give_up(gateway, seen)
    assert find_leftovers(gateway)[0].bytes


def test_a_plan_that_is_broken_can_be_given_up(bench, stopped):
    staging = Staging(bench.gateway.store, stopped.run)
    bench.gateway.store.put(staging.key("plan.json"), b"{no json")
    (seen,) = find_leftovers(bench.gateway)
    assert seen.tool == ""
    give_up(bench.gateway, seen)
    assert find_leftovers(bench.gateway) == []


def test_a_run_that_ended_without_a_word_is_marked(bench, stopped):
    gateway = bench.gateway
    record = gateway.catalogue.run(stopped.run_id)
    gateway.catalogue.put_run(type(record).from_json({**record.to_json(), "status": "running"}))
    assert mark_lost_runs(gateway) == []  # it can be resumed
    assert count_idle(gateway) == 1
    (check,) = [c for c in examine(gateway.home) if c.name == "runs"]
    assert check.state == "note"
    assert check.advice == "gateway clean"
    gateway.store.delete(Staging(gateway.store, stopped.run).key())
    assert [run.id for run in mark_lost_runs(gateway)] == [stopped.run_id]
    ended = gateway.catalogue.run(stopped.run_id)
    assert ended.status == "failed"
    assert "ended without a word" in ended.error
