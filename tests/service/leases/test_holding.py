"""Devices are held while code or a command runs, and come back however it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from gateway.errors import CallError, ConflictError, RunCancelledError
from gateway.service.leases.command import run_on_devices
from gateway.service.leases.containers import reclaim_here
from gateway.service.leases.ending import take_back
from gateway.service.leases.holding import Wanted, holding
from gateway.service.leases.inventory import take_inventory
from gateway.service.leases.ledger import (
    ask,
    ask_back,
    find_lease,
    give_back,
    list_leases,
    refresh,
    set_devices,
)
from gateway.service.leases.liveness import heirs
from gateway.service.leases.model import Device, Holder

PRINT = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['GATEWAY_LENT'])"


@pytest.fixture
def home(gateway, monkeypatch):
    """Return the home of a gateway that lends one fake GPU."""
    monkeypatch.setenv("GATEWAY_DEVICES", '["gateway.test/gpu=1"]')
    file = gateway.home / "gateway.toml"
    file.write_text('devices = ["gateway.test/gpu=1"]\n')
    return gateway.home


def wanted(person="ana", **how):
    return Wanted(person=person, purpose="run", **how)


def one(gateway):
    set_devices(gateway, [Device(name="other.test/gpu=7", host="elsewhere")])


def poll(condition):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to pass in a minute"
        time.sleep(0.05)
    return found


def test_a_lease_is_kept_for_a_block_and_given_back_after_an_error(gateway):
    one(gateway)
    held = []

    def fail():
        with holding(gateway, wanted()) as lease:
            held.append(lease)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert held[0].devices == ("other.test/gpu=7",)
    assert find_lease(gateway, held[0].id).reason == "given back after ZeroDivisionError"


def test_a_part_without_gpus_leaves_the_inventory_of_others_alone(gateway):
    one(gateway)
    assert [device.name for device in take_inventory(gateway)] == ["other.test/gpu=7"]


def test_who_waits_is_told_and_may_leave_the_line(gateway):
    one(gateway)
    told, cancel = [], threading.Event()

    def hear(lease):
        told.append(lease.sentence())
        cancel.set()

    with (
        holding(gateway, wanted()),
        pytest.raises(RunCancelledError, match="while it waited for a GPU: 0 of 1 GPUs free"),
        holding(gateway, wanted("ben"), waits=hear, cancel=cancel),
    ):
        pass
    assert told == ["0 of 1 GPUs free, you are first"]
    assert list_leases(gateway) == []


def test_who_waits_gets_what_the_dead_held(gateway):
    one(gateway)
    code = (
        "import sys, time; from pathlib import Path; from gateway.service.gateway import "
        "open_gateway; from gateway.service.leases.holding import Wanted, holding\n"
        "with holding(open_gateway(Path(sys.argv[1])), Wanted(person='ben', purpose='run')):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(gateway.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.kill()
    with holding(gateway, wanted()) as lease:
        assert lease.status == "held"


def test_a_revoked_lease_is_told_to_its_holder(gateway, monkeypatch):
    one(gateway)
    monkeypatch.setattr("gateway.service.leases.holding.BEAT", timedelta(seconds=0.2))
    lost = threading.Event()
    with holding(gateway, wanted(), lost=lambda _: lost.set()) as lease:
        give_back(gateway, lease.id, "revoked by an administrator")
        assert lost.wait(30)


def test_a_command_finds_its_devices_and_its_status_is_passed_on(gateway, home, tmp_path):
    del home
    one(gateway)
    file = tmp_path / "said"
    code = f"import sys; sys.stdout = open({str(file)!r}, 'w'); {PRINT}; sys.exit(7)"
    quiet = {"waits": lambda _: None, "got": lambda _: None, "lost": lambda _: None}
    assert run_on_devices(gateway, wanted(), [sys.executable, "-c", code], **quiet) == 7
    assert file.read_text() == "7 other.test/gpu=7\n"
    assert list_leases(gateway) == []
    with pytest.raises(CallError, match="no program 'nothing-of-the-kind'"):
        run_on_devices(gateway, wanted(), ["nothing-of-the-kind"], **quiet)


def hold(home, *command):
    program = [Path(sys.executable).with_name("gateway"), "leases", "hold", "--home", home]
    return subprocess.Popen([*program, "--", *command], stdout=subprocess.PIPE, text=True)


def test_a_command_that_outlives_its_wrapper_keeps_its_device(gateway, home):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with hold(home, sys.executable, "-c", code) as wrapper:
        assert wrapper.stdout is not None
        command = int(wrapper.stdout.readline())
        wrapper.kill()
        wrapper.wait()
        (held,) = list_leases(gateway)
        assert reclaim_here(gateway) == []
        os.kill(command, signal.SIGKILL)
        assert poll(lambda: reclaim_here(gateway)) == [held.id]


def test_a_lease_taken_back_is_lent_again_only_when_its_command_has_ended(gateway, home):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with hold(home, sys.executable, "-c", code) as wrapper:
        assert wrapper.stdout is not None
        command = int(wrapper.stdout.readline())
        (held,) = list_leases(gateway)
        ask_back(gateway, held.id, "revoked by ben")
        with pytest.raises(ConflictError, match="is over: revoked by ben; ask for a new one"):
            refresh(gateway, held.id)
        assert find_lease(gateway, held.id).status == "held", "its command still runs"
        assert take_back(gateway, held.id, "later").reason == "revoked by ben"
        assert not psutil.pid_exists(command)


def test_a_holder_that_does_not_listen_is_ended(gateway, home, monkeypatch):
    monkeypatch.setattr("gateway.service.leases.ending.PATIENCE_S", 0.5)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('ready', flush=True); time.sleep(600)"
    )
    monkeypatch.setattr("gateway.service.leases.ending._DEATH_S", 2.0)
    with hold(home, sys.executable, "-c", code) as wrapper:
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline() == "ready\n"
        (held,) = list_leases(gateway)
        assert take_back(gateway, held.id, "revoked by ben").status == "ended"
        wrapper.wait(timeout=30)  # it stays a zombie until its parent asks
        assert list(heirs(held.id)) == []


def test_who_waits_leaves_the_line_when_asked_back(gateway):
    one(gateway)
    with holding(gateway, wanted()):
        waiting = ask(gateway, "ben", Holder.this_process(), purpose="run")
        assert take_back(gateway, waiting.id, "revoked by ana").reason == "revoked by ana"


def test_a_signal_ends_the_command_and_gives_back(gateway, home):
    code = "import time; print('ready', flush=True); time.sleep(600)"
    with hold(home, sys.executable, "-c", code) as wrapper:
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline() == "ready\n"
        wrapper.terminate()
        assert wrapper.wait(timeout=60) == 128 + signal.SIGTERM
    assert list_leases(gateway) == []
    assert list_leases(gateway, ended=1)[0].reason == "given back"
