"""Runs of tools that need a GPU hold one, show it to their workers, and give it back."""

import threading
from datetime import timedelta

import pytest

from gateway.errors import LimitError, RunCancelledError, RunError
from gateway.run.events import RunStarted, RunWaiting
from gateway.run.plan import RunOptions
from gateway.service.leases.holding import Wanted, holding
from gateway.service.leases.ledger import give_back, list_leases, set_devices
from gateway.service.leases.model import Device
from gateway.service.runs import plan_tool, run_tool
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box
from gateway.volumes.open import open_ref
from gateway.volumes.ref import parse_ref

ONE = RunOptions(workers=1)


@pytest.fixture
def lit(gateway, fill_dataset):
    """Return a call that paints an image on a GPU; one is lent."""
    fill_dataset(gateway.store, "m1")
    set_devices(gateway, [Device(name="gateway.test/gpu=5", host="elsewhere")])
    return lambda **settings: make_call(
        get_tool("trial_light"), {"image": "m1/image"}, {"image": "m1/lit"}, settings
    )


def voxel(gateway) -> int:
    volume = open_ref(gateway.store, parse_ref("m1/lit"))
    return int(volume.read(Box((0, 0, 0), (1, 1, 1)), channel=0)[0, 0, 0])


def test_a_run_sees_the_gpu_that_it_holds_and_gives_it_back(gateway, lit):
    plan = plan_tool(gateway, lit(), ONE)
    assert plan.gpus == plan.to_json()["gpus"] == 1
    run_tool(gateway, lit(), ONE, person="ana")
    assert voxel(gateway) == 5
    (ended,) = list_leases(gateway, ended=9)
    assert (ended.person, ended.purpose, ended.reason) == ("ana", "run", "given back")
    run_tool(gateway, lit(), ONE, person="ana")
    assert len(list_leases(gateway, ended=9)) == 1, "what is done needs no GPU"


def test_a_run_waits_in_line_and_says_so(gateway, lit):
    heard, free = [], threading.Event()

    def hear(event):
        heard.append(event)
        if isinstance(event, RunWaiting):
            free.set()

    def go():
        run_tool(gateway, lit(), ONE, listeners=(hear,), person="ben")

    with holding(gateway, Wanted(person="ana", purpose="notebook")):
        run = threading.Thread(target=go)
        run.start()
        assert free.wait(60)
    run.join(120)
    assert [event.reason for event in heard if isinstance(event, RunWaiting)] == [
        "0 of 1 GPUs free, you are first"
    ]
    assert voxel(gateway) == 5


def test_a_cancelled_run_leaves_the_line(gateway, lit):
    cancel = threading.Event()
    cancel.set()
    with (
        holding(gateway, Wanted(person="ana", purpose="notebook")),
        pytest.raises(RunCancelledError, match="waited for a GPU"),
    ):
        run_tool(gateway, lit(), ONE, cancel=cancel)
    assert list_leases(gateway) == []


def test_a_run_whose_gpu_is_taken_back_stops_and_says_why(gateway, lit, monkeypatch):
    monkeypatch.setattr("gateway.service.leases.holding.BEAT", timedelta(seconds=0.2))

    def hear(event):
        if isinstance(event, RunStarted):
            give_back(gateway, list_leases(gateway)[0].id, "revoked by an administrator")

    with pytest.raises(RunError, match=r"trial_light lost its GPU: .*revoked by an admin.*again"):
        run_tool(gateway, lit(delay_s=30.0), ONE, listeners=(hear,))


def test_where_there_is_no_gpu_the_run_is_refused(gateway, lit):
    set_devices(gateway, [])
    with pytest.raises(LimitError, match="this gateway has 0"):
        run_tool(gateway, lit(), ONE)


def test_a_run_under_a_lease_uses_that_one(gateway, lit, monkeypatch):
    with holding(gateway, Wanted(person="ana", purpose="run")) as outer:
        monkeypatch.setenv("GATEWAY_LEASE", outer.id)
        run_tool(gateway, lit(), ONE)
    assert voxel(gateway) == 5
