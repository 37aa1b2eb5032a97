"""The life of a hub for real: killed, started anew, idle servers stopped, and nothing left over."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from hub_up import Visitor, up, wait_for

from gateway.hub.passwords import make_passwords
from gateway.service.access.login import account_name

pytestmark = [pytest.mark.hub, pytest.mark.slow, pytest.mark.usefixtures("hub_can_start")]


def alive(pids: list[int]) -> list[int]:
    return [
        pid
        for pid in pids
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ]


def test_a_killed_hub_starts_anew_with_its_servers_and_a_stopped_one_leaves_nothing(
    home: Path,
) -> None:
    made = make_passwords(home)
    assert made is not None
    owner, password = account_name(), made.administrators
    with up(home) as first:
        assert first.said["administrator_password"] is None  # shown at another start
        assert first.said["only_owner"]
        ada = first.visitor(owner, password)
        ada.start_server()
        state = ada.state()
        assert state is not None
        server = state["state"]["pid"]
        before = [p.pid for p in first.children() if p.pid != server]
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        assert len(alive(before)) >= 4  # hub, proxy, web service, culler: orphans now
    with up(home) as second:
        assert alive(before) == []
        ada = second.visitor(owner, password)
        wait_for(lambda: (ada.state() or {}).get("ready"), "finding the server again")
        state = ada.state()
        assert state is not None
        assert state["state"]["pid"] == server
        assert ada.run("print(1 + 1)") == "2"
        _refuses_others(second.visitor("ben", password))
        running = [p.pid for p in second.children()]
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(timeout=300) == 0
        assert alive([*running, server]) == []


def test_a_server_that_nobody_uses_is_stopped(home: Path) -> None:
    made = make_passwords(home)
    assert made is not None
    with up(home, GATEWAY_HUB_IDLE_MINUTES="0.1") as hub:
        ada = hub.visitor(account_name(), made.administrators)
        ada.start_server()
        state = ada.state()
        assert state is not None
        wait_for(lambda: ada.state() is None, "the stop of an idle server")
        assert alive([state["state"]["pid"]]) == []
        assert "Culling server" in hub.log


def _refuses_others(stranger: Visitor) -> None:
    assert stranger.landed.status_code == 403
