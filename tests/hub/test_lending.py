"""Servers of the hub get their GPUs from the ledger; the spawner here is a mere record."""

import asyncio
import logging
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from gateway.errors import LimitError
from gateway.hub.lending import STATE, Lending, show_devices, wanted_of
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.leases.containers import reclaim_here
from gateway.service.leases.holding import Wanted
from gateway.service.leases.ledger import active_holders, ask_back, list_leases, set_devices
from gateway.service.leases.model import Device

LOCAL, CONTAINERS = (), ("devices", "lease")


class Spawner:
    """As much of a spawner of JupyterHub as hooks may know."""

    def __init__(self, person="ana", gpu="whole", traits=CONTAINERS, state=None):
        self.user = SimpleNamespace(name=person)
        self.name = ""
        self.user_options = {"gpu": gpu}
        self.environment = {"KEPT": "1"}
        self.orm_spawner = SimpleNamespace(state=state)
        self.log = logging.getLogger("hub")
        self.traits = traits
        self.pid = 0
        self.stopped = []

    def has_trait(self, name):
        return name in self.traits

    def get_state(self):
        return {"object_id": "c1"}

    async def progress(self):
        yield {"progress": 50, "message": "Spawning server..."}

    async def stop(self, *, now):
        self.stopped.append(now)

    async def poll_and_notify(self):
        self.stopped.append("told")


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr("gateway.hub.lending._BEAT_S", 0.05)
    monkeypatch.setattr("gateway.hub.lending._SHOWN_S", 0.01)
    monkeypatch.setattr("gateway.hub.lending.look_at_docker", lambda _: None)
    monkeypatch.setattr("gateway.service.leases.ending.look_at_docker", lambda _: None)
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    with opened.catalogue:
        set_devices(opened, [Device(name="gateway.test/gpu=3", host="elsewhere", shares=2)])
        yield opened


async def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in a minute"
        await asyncio.sleep(0.02)


def held(gateway):
    return [lease.person for lease in list_leases(gateway) if lease.status == "held"]


def test_what_was_chosen_is_what_is_wanted():
    assert wanted_of("ana", {}) is None
    assert wanted_of("ana", {"gpu": "none"}) is None
    assert wanted_of("ana", {"gpu": "whole"}) == Wanted(person="ana", purpose="notebook")
    assert wanted_of("ana", {"gpu": "share"}).whole is False


def test_a_container_is_given_devices_and_a_label_and_gives_them_back(gateway):
    spawner, lending = Spawner(), Lending(gateway)

    async def live():
        await lending.before_start(spawner)
        (lease,) = list_leases(gateway)
        assert spawner.devices == ["gateway.test/gpu=3"]
        assert spawner.lease == spawner.environment["GATEWAY_LEASE"] == lease.id
        assert "CUDA_VISIBLE_DEVICES" not in spawner.environment
        assert spawner.get_state() == {"object_id": "c1", STATE: lease.id}
        await lending.after_stop(spawner)

    asyncio.run(live())
    assert held(gateway) == []
    assert spawner.get_state() == {"object_id": "c1"}


def test_a_process_sees_its_devices_only_and_one_without_a_lease_none(gateway):
    spawner, lending = Spawner(traits=LOCAL), Lending(gateway)
    asyncio.run(lending.before_start(spawner))
    assert spawner.environment["CUDA_VISIBLE_DEVICES"] == "3"
    spawner.user_options = {"gpu": "none"}
    asyncio.run(lending.before_start(spawner))
    assert spawner.environment == {"KEPT": "1", "CUDA_VISIBLE_DEVICES": ""}
    assert held(gateway) == []
    show_devices(contained := Spawner(), None)
    assert contained.environment == {"KEPT": "1"}
    assert contained.devices == []


def test_who_waits_reads_their_place_and_starts_when_it_is_their_turn(gateway):
    first, second = Spawner("ana"), Spawner("ben")
    lending = Lending(gateway, poll_s=0.02)
    said = []

    async def watch():
        await until(lambda: "progress" in vars(second))
        async for event in second.progress():
            said.append(event)  # noqa: PERF401 - what came so far is looked at meanwhile

    async def live():
        await lending.before_start(first)
        waiting = asyncio.create_task(lending.before_start(second))
        watching = asyncio.create_task(watch())
        await until(lambda: said)
        await lending.after_stop(first)
        await asyncio.wait_for(asyncio.gather(waiting, watching), 30)

    asyncio.run(live())
    assert [event["message"] for event in said] == [
        "Waiting for a GPU: 0 of 1 GPUs free, you are first",
        "Got gateway.test/gpu=3",
        "Spawning server...",
    ]
    assert held(gateway) == ["ben"]


def test_who_waits_too_long_is_told_and_leaves_the_line(gateway):
    lending = Lending(gateway, wait_s=0.1, poll_s=0.02)
    late = Spawner("ben")

    async def live():
        await lending.before_start(Spawner("ana"))
        with pytest.raises(LimitError, match="no GPU became free in 0 s: 0 of 1 GPUs free, you"):
            await lending.before_start(late)
        await lending.after_stop(late)

    asyncio.run(live())
    assert [lease.person for lease in list_leases(gateway)] == ["ana"]


def test_a_hub_that_starts_anew_gives_back_what_an_earlier_one_took(gateway):
    earlier = Spawner()
    asyncio.run(Lending(gateway).before_start(earlier))
    later = Spawner(state=earlier.get_state())
    asyncio.run(Lending(gateway).after_stop(later))
    assert held(gateway) == []


def test_a_lease_taken_back_stops_its_server(gateway):
    spawner, lending = Spawner(), Lending(gateway)

    async def live():
        await lending.before_start(spawner)
        ask_back(gateway, spawner.gateway_lease, "revoked by an administrator")
        await until(lambda: len(spawner.stopped) == 2)

    asyncio.run(live())
    assert spawner.stopped == [True, "told"]


def test_the_process_of_a_server_becomes_the_holder_and_keeps_what_it_still_uses(gateway):
    spawner, lending = Spawner(traits=LOCAL), Lending(gateway)

    async def live():
        await lending.before_start(spawner)
        code = "import time; print('ready', flush=True); time.sleep(600)"
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, env=spawner.environment, stdout=subprocess.PIPE
        )
        assert await server.stdout.readline() == b"ready\n"
        spawner.pid = server.pid
        await until(lambda: active_holders(gateway)[0].holder.id == str(server.pid))
        await lending.after_stop(spawner)  # the hub failed to stop it
        assert held(gateway) == ["ana"]
        server.kill()
        await server.communicate()

    asyncio.run(live())
    assert len(reclaim_here(gateway)) == 1
