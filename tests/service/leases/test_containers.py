"""Containers keep leases as long as their engine says that they live."""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.errors import ConflictError
from gateway.records.database import writing
from gateway.records.lease_tables import LeaseRow
from gateway.service.leases.containers import ContainerLife, Look, look_at_docker, reclaim_here
from gateway.service.leases.ledger import ask, find_lease, give_back, hand_over, set_devices
from gateway.service.leases.liveness import SILENCE, STARTING, reclaim_dead
from gateway.service.leases.model import Device, Holder

DEVICES = [Device(name=f"gateway.test/gpu={n}", host="here") for n in range(2)]
GONE = Holder(kind="process", host=socket.gethostname(), id="1", started=1.0, starting=True)
"""A hub that was killed: process 1 did not begin in 1970."""


@pytest.fixture(autouse=True)
def _lent(gateway):
    set_devices(gateway, DEVICES)


def take(gateway, holder):
    return ask(gateway, "ana", holder, purpose="notebook").id


def be_silent(gateway, silence: timedelta) -> None:
    with writing(gateway.database) as connection:
        beat = datetime.now(UTC) - silence - timedelta(seconds=1)
        connection.execute(update(LeaseRow).values(beat=beat))


def engine(*live: str, name: str = "e1") -> ContainerLife:
    return ContainerLife(lambda: Look(name, dict.fromkeys(live, "c1")))


def down() -> ContainerLife:
    return ContainerLife(lambda: None)


def test_a_container_that_is_gone_gives_back_at_once(gateway):
    held = take(gateway, Holder.container("c1", "e1"))
    assert reclaim_dead(gateway, engine(held)) == []
    assert reclaim_dead(gateway, engine()) == [held]
    assert "container c1" in find_lease(gateway, held).reason


def test_a_silent_container_that_lives_keeps_its_device(gateway):
    held = take(gateway, Holder.container("c1", "e1"))
    be_silent(gateway, SILENCE)
    assert reclaim_dead(gateway, engine(held)) == []


def test_an_engine_that_is_away_ends_nothing_before_the_silence_is_long(gateway):
    held = take(gateway, Holder.container("c1", "e1"))
    assert reclaim_dead(gateway, down()) == []
    be_silent(gateway, SILENCE)
    assert reclaim_dead(gateway, down()) == [held]


def test_another_engine_cannot_tell(gateway):
    take(gateway, Holder.container("c1", "e1"))
    assert reclaim_dead(gateway, engine(name="e2")) == []


def test_a_reboot_ends_the_leases_of_processes_and_containers(gateway):
    before = [
        take(gateway, replace(Holder.this_process(), boot="the one before")),
        take(gateway, replace(Holder.container("c1", "e1"), boot="the one before")),
    ]
    assert sorted(reclaim_dead(gateway, down())) == sorted(before)


def test_a_container_holds_what_its_killed_starter_took_for_it(gateway):
    lease = take(gateway, GONE)
    be_silent(gateway, STARTING)
    assert reclaim_dead(gateway, engine(lease)) == []
    assert reclaim_dead(gateway, engine()) == [lease]


def test_a_container_may_still_appear_just_after_its_starter_died(gateway):
    take(gateway, GONE)
    assert reclaim_dead(gateway, engine()) == []


def test_a_lease_goes_from_its_starter_to_the_container(gateway):
    lease = take(gateway, Holder.this_process(starting=True))
    handed = hand_over(gateway, lease, Holder.container("c1", "e1"))
    assert handed.devices == (DEVICES[0].name,)
    assert reclaim_dead(gateway, engine()) == [lease]
    with pytest.raises(ConflictError, match="has ended: its holder, container c1"):
        hand_over(gateway, lease, Holder.container("c2", "e1"))


def test_without_an_engine_the_look_says_so_once(gateway, monkeypatch, caplog):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    take(gateway, Holder.container("c1", "e1"))
    take(gateway, Holder.container("c2", "e1"))
    assert reclaim_here(gateway) == []
    assert [record.message for record in caplog.records if "no socket" in record.message]
    assert len(caplog.records) == 1
    assert look_at_docker(gateway) is None


def test_the_engine_that_the_settings_name_is_the_one_asked(gateway, caplog):
    named = gateway.settings.model_copy(update={"docker_host": "unix:///named/docker.sock"})
    assert look_at_docker(replace(gateway, settings=named)) is None
    assert caplog.messages == [
        "no container engine answers: there is no socket unix:///named/docker.sock"
    ]


def test_without_containers_no_engine_is_asked(gateway):
    def nobody() -> Look:
        pytest.fail("the engine was asked")

    lease = take(gateway, Holder.this_process())
    assert reclaim_dead(gateway, ContainerLife(nobody)) == []
    give_back(gateway, lease)
