"""What `gateway up` refuses, keeps secret, and cleans up."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gateway.errors import SettingsError
from gateway.hub.front_door import keep_open
from gateway.hub.passwords import is_right, make_passwords, read_hashes
from gateway.hub.places import hub_folder, read_ports, read_secrets
from gateway.hub.processes import Process, describe, end, family, left_behind, write_down
from gateway.hub.programs import find_proxy
from gateway.service.settings import Settings


def refused(home: Path, message: str, **more: bool) -> None:
    with pytest.raises(SettingsError, match=message):
        keep_open(home, say=lambda _: None, opened=lambda _: None, **more)


def test_ports_and_secrets_stay_and_only_we_can_read_them(home: Path) -> None:
    assert read_ports(home) == read_ports(home)
    secrets = read_secrets(home)
    assert secrets == read_secrets(home)
    assert len({secrets.proxy, secrets.web, secrets.galaxy}) == 3
    folder = hub_folder(home)
    assert folder.stat().st_mode & 0o077 == 0
    assert [p.name for p in folder.iterdir() if p.stat().st_mode & 0o077] == []


def test_a_damaged_file_is_named_with_the_way_out(home: Path) -> None:
    (hub_folder(home) / "ports.json").write_text("{")
    with pytest.raises(SettingsError, match=r"ports\.json cannot be read .*delete it"):
        read_ports(home)
    with pytest.raises(SettingsError, match=r"passwords\.json holds no passwords.*--new-passwords"):
        read_hashes(home)


def test_passwords_are_shown_once_and_kept_as_hashes(home: Path) -> None:
    made = make_passwords(home)
    assert made is not None
    assert make_passwords(home) is None
    kept = read_hashes(home)
    assert is_right(kept.administrators, f" {made.administrators} ")
    assert is_right(kept.people, made.people)
    assert not is_right(kept.people, made.administrators)
    written = (hub_folder(home) / "passwords.json").read_text()
    assert made.people not in written
    again = make_passwords(home, anew=True)
    assert again is not None
    assert not is_right(read_hashes(home).people, made.people)


def test_a_missing_node_or_proxy_is_said_with_the_line_that_installs_it(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match=r"Node\.js is not installed.*apt-get install nodejs"):
        find_proxy(Settings())
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda name: "/bin/node" if name == "node" else None)
    with pytest.raises(SettingsError, match="proxy 'my-proxy' is not installed; get it by `npm"):
        find_proxy(Settings(hub_proxy="my-proxy"))


def test_a_second_start_is_refused(home: Path) -> None:
    with (hub_folder(home) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        refused(home, "runs already, as process 4711")


@pytest.mark.hub
@pytest.mark.usefixtures("hub_can_start")
def test_a_port_that_is_taken_is_refused(home: Path, monkeypatch) -> None:
    monkeypatch.setenv("GATEWAY_HUB_SPAWNER", "local")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("GATEWAY_HUB_PORT", str(port))
        refused(home, f"cannot listen on 127.0.0.1 port {port}: .*gateway up --port")


def test_what_was_left_behind_is_found_and_ended_but_no_stranger_and_no_server(home: Path) -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    # a service of the hub has the variable too, but empty
    mine = subprocess.Popen(sleeping, env={**os.environ, "JUPYTERHUB_USER": ""})
    server = subprocess.Popen(sleeping, env={**os.environ, "JUPYTERHUB_USER": "ana"})
    stranger = subprocess.Popen(sleeping)
    try:
        known = [describe(mine.pid), describe(server.pid)]
        assert None not in known
        noted = [p for p in known if p is not None] + [Process(stranger.pid, 1.0), Process(1, 2.0)]
        write_down(home, noted)
        left = left_behind(home)
        assert [p.pid for p in left] == [mine.pid]
        assert mine.pid in [p.pid for p in family(os.getpid())]
        assert end(left) == []
        assert mine.poll() is not None
        assert psutil.pid_exists(server.pid)
        assert psutil.pid_exists(stranger.pid)
    finally:
        for process in (mine, server, stranger):
            process.kill()
            process.wait()


def test_what_a_hub_started_after_it_was_noted_is_found_too(home: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "words = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(words).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", code]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        noted = describe(parent.pid)
        assert noted is not None
        write_down(home, [noted])
        left = left_behind(home)
        assert sorted(p.pid for p in left) == sorted([parent.pid, child])
        assert end(left, at_once=True) == []
