"""Devices are lent, never twice, and come back."""

import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import update

from gateway.errors import ConflictError, LimitError, NotFoundError
from gateway.records.database import writing
from gateway.records.lease_tables import LeaseRow
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.leases.ledger import (
    ask,
    give_back,
    list_leases,
    reclaim,
    refresh,
    set_devices,
)
from gateway.service.leases.liveness import SILENCE, reclaim_dead
from gateway.service.leases.model import Device, Holder

ELSEWHERE = Holder(kind="container", host="elsewhere", id="c1")


def devices(count: int, shares: int = 1) -> list[Device]:
    return [Device(name=f"gateway.test/gpu={n}", host="here", shares=shares) for n in range(count)]


def take(gateway: Gateway, person: str, **wanted):
    return ask(gateway, person, ELSEWHERE, purpose="notebook", **wanted)


def be_silent(gateway: Gateway) -> datetime:
    """Make all holders as if nobody had heard them for too long; returns since when."""
    old = datetime.now(UTC) - SILENCE - timedelta(seconds=1)
    with writing(gateway.database) as connection:
        connection.execute(update(LeaseRow).values(beat=old))
    return old


def test_a_free_device_is_held_at_once_and_the_next_one_waits(gateway):
    set_devices(gateway, devices(1))
    first, second, third = (take(gateway, person) for person in ("ana", "ben", "cyn"))
    assert first.devices == ("gateway.test/gpu=0",)
    assert second.status == "waiting"
    assert third.sentence() == "0 of 1 GPUs free, you are second"
    give_back(gateway, first.id)
    assert refresh(gateway, second.id).status == "held"
    assert refresh(gateway, third.id).position == 1


def test_who_holds_less_is_served_before_who_asked_earlier(gateway):
    set_devices(gateway, devices(2))
    held = [take(gateway, "ana"), take(gateway, "ben")]
    greedy, modest = take(gateway, "ana"), take(gateway, "cyn")
    give_back(gateway, held[1].id)
    assert refresh(gateway, modest.id).status == "held"
    assert refresh(gateway, greedy.id).status == "waiting"


def test_who_wants_several_is_not_overtaken_for_ever(gateway):
    set_devices(gateway, devices(2))
    first = take(gateway, "ana")
    several, late = take(gateway, "ben", devices=2), take(gateway, "cyn")
    assert late.status == "waiting", "a device is free, but kept for who came first"
    give_back(gateway, first.id)
    assert len(refresh(gateway, several.id).devices) == 2


def test_shares_fill_one_device_before_the_next(gateway):
    set_devices(gateway, devices(2, shares=2))
    shared = [take(gateway, person, whole=False) for person in ("ana", "ben")]
    assert shared[0].devices == shared[1].devices
    assert take(gateway, "cyn").devices != shared[0].devices


def test_more_than_there_are_is_refused_with_the_number(gateway):
    set_devices(gateway, devices(2))
    with pytest.raises(LimitError, match=r"3 GPUs were asked for and this gateway has 2; ask for"):
        take(gateway, "ana", devices=3)
    set_devices(gateway, [])
    with pytest.raises(LimitError, match="has 0; ask for none, or list them in the setting"):
        take(gateway, "ana")


def test_an_ended_lease_is_not_heard_any_more(gateway):
    set_devices(gateway, devices(1))
    lease = take(gateway, "ana")
    give_back(gateway, lease.id, "revoked by the administrator")
    with pytest.raises(ConflictError, match="has ended: revoked by the administrator; ask"):
        refresh(gateway, lease.id)
    assert give_back(gateway, lease.id).reason == "revoked by the administrator"
    with pytest.raises(NotFoundError, match="no lease 'nothing'"):
        refresh(gateway, "nothing")


def test_a_killed_process_loses_its_device_to_who_waits(gateway):
    set_devices(gateway, devices(1))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        holder = Holder.this_process(sleeper.pid)
        lease = ask(gateway, "ana", holder, purpose="run")
        waiting = ask(gateway, "ben", Holder.this_process(), purpose="run")
        assert reclaim_dead(gateway) == []
        sleeper.kill()
        sleeper.wait()
        assert reclaim_dead(gateway) == [lease.id]
    finally:
        sleeper.kill()
        sleeper.wait()
    assert refresh(gateway, waiting.id).status == "held"
    ended = next(lease for lease in list_leases(gateway, ended=5) if lease.status == "ended")
    assert f"process {sleeper.pid}" in str(ended.reason)


def test_a_number_used_again_by_another_process_does_not_keep_a_lease(gateway):
    set_devices(gateway, devices(1))
    mine = Holder.this_process()
    earlier = Holder(kind="process", host=mine.host, id=mine.id, started=mine.started - 100)
    lease = ask(gateway, "ana", earlier, purpose="run")
    assert reclaim_dead(gateway) == [lease.id]


def test_the_silent_lose_theirs_only_where_nobody_can_tell(gateway):
    set_devices(gateway, devices(2))
    known, unknown = take(gateway, "ana"), take(gateway, "ben")
    be_silent(gateway)
    assert reclaim_dead(gateway, lambda _: True) == []
    refresh(gateway, known.id)
    assert reclaim_dead(gateway, lambda _: None) == [unknown.id]


def test_who_was_heard_after_the_verdict_keeps_the_lease(gateway):
    set_devices(gateway, devices(1))
    lease = take(gateway, "ana")
    verdict = {lease.id: (be_silent(gateway), "silent")}
    refresh(gateway, lease.id)
    assert reclaim(gateway, verdict) == []


def test_a_device_that_is_gone_is_lent_no_more(gateway):
    set_devices(gateway, devices(2))
    lease = take(gateway, "ana", devices=2)
    set_devices(gateway, devices(1))
    waiting = take(gateway, "ben")
    give_back(gateway, lease.id)
    assert refresh(gateway, waiting.id).devices == ("gateway.test/gpu=0",)
    assert take(gateway, "cyn").status == "waiting"


class Ledger(RuleBasedStateMachine):
    """Anybody does anything in any order; the ledger's promises hold after every step."""

    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.gateway = _fresh()
        self.there = 3
        set_devices(self.gateway, devices(3, shares=2))

    def teardown(self):
        self.gateway.catalogue.close()
        shutil.rmtree(self.gateway.home.parent)

    @rule(
        target=leases,
        person=st.sampled_from(["ana", "ben", "cyn"]),
        count=st.integers(1, 3),
        whole=st.booleans(),
    )
    def ask(self, person, count, whole):
        if count > self.there:
            with pytest.raises(LimitError):
                take(self.gateway, person, devices=count, whole=whole)
            return None
        return take(self.gateway, person, devices=count, whole=whole).id

    @rule(lease=leases)
    def refresh(self, lease):
        if lease is None:
            return
        try:
            refresh(self.gateway, lease)
        except ConflictError:
            assert lease not in {known.id for known in list_leases(self.gateway)}

    @rule(lease=consumes(leases))
    def give_back(self, lease):
        if lease is not None:
            assert give_back(self.gateway, lease).status == "ended"

    @rule(lease=consumes(leases))
    def die(self, lease):
        if lease is not None:
            reclaim(self.gateway, {lease: (datetime.now(UTC), "died")})

    @rule(count=st.integers(1, 3))
    def plug(self, count):
        self.there = count
        set_devices(self.gateway, devices(count, shares=2))

    @invariant()
    def nobody_holds_what_another_has_alone(self):
        alone, shared = defaultdict(list), defaultdict(list)
        for lease in list_leases(self.gateway):
            if lease.status == "held":
                assert len(lease.devices) == lease.wanted
                for device in lease.devices:
                    (alone if lease.whole else shared)[device].append(lease.id)
            else:
                assert lease.devices == ()
        for device, holders in alone.items():
            assert len(holders) == 1
            assert device not in shared
        assert all(len(holders) <= 2 for holders in shared.values())

    @invariant()
    def the_first_in_line_waits_only_for_what_is_not_free(self):
        active = list_leases(self.gateway)
        waiting = [lease for lease in active if lease.status == "waiting"]
        servable = [lease for lease in waiting if lease.wanted <= self.there]
        if servable:
            first = min(servable, key=lambda lease: lease.position)
            if first.whole:
                assert first.free < first.wanted
        assert sorted(lease.position for lease in waiting) == list(range(1, len(waiting) + 1))


def _fresh() -> Gateway:
    home = Path(tempfile.mkdtemp(prefix="gateway-leases-")) / "home"
    init_home(home)
    return open_gateway(home)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
