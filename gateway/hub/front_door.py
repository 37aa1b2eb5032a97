"""Starts JupyterHub with all that lies behind it, says when it answers, and stops all of it."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from gateway.errors import GatewayError, SettingsError
from gateway.hub.facts import Facts, read_facts
from gateway.hub.passwords import Passwords, make_passwords
from gateway.hub.places import hub_folder
from gateway.hub.processes import Process, end, family, left_behind, write_down
from gateway.hub.programs import find_proxy
from gateway.hub.sign_in import only_owner
from gateway.hub.spawners import SpawnerKind, choose_kind
from gateway.service.settings import read_settings

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
_PATIENCE_S = 240.0
_GRACE_S = 60.0
_LOOK_S = 0.25
_ASK_EVERY_S = 1.0
_NOTE_EVERY_S = 5.0
_LAST_LINES = 15
_RESTARTS = 3
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is told once people may come."""

    facts: Facts
    kind: SpawnerKind
    passwords: Passwords | None
    """Those just made; None where they were shown at an earlier start, or there are none."""
    only_owner: bool
    log: Path


def keep_open(
    home: Path, *, say: Say, opened: Callable[[Opened], None], new_passwords: bool = False
) -> None:
    """Start the hub and keep it until a signal comes, then stop all that was started.

    Args:
        home: The home.
        say: Told in a line what happens next.
        opened: Called once people may come.
        new_passwords: Whether to make new shared passwords.

    Raises:
        SettingsError: A setting is wrong, a program is missing, or the port is taken.
        GatewayError: The hub did not start; says the last lines of its log.
    """
    stop = threading.Event()
    with _only_one(home), _listening(stop):
        _clean_up(home, say)
        settings = read_settings(home)
        find_proxy(settings)
        kind = choose_kind(settings, say=say)
        say(f"notebook servers: {kind.title}")
        port = _free_port(settings.host, settings.hub_port)
        os.environ["GATEWAY_HUB_PORT"] = str(port)
        os.environ["GATEWAY_HUB_SPAWNER"] = kind.name
        address = kind.meet(settings).address
        facts = read_facts(home, inner_host=address, everywhere=kind.elsewhere)
        shared = facts.settings.hub_sign_in == "shared"
        made = make_passwords(home, anew=new_passwords) if shared else None
        telling = Opened(
            facts=facts,
            kind=kind,
            passwords=made,
            only_owner=only_owner(facts, kind),
            log=hub_folder(home) / "hub.log",
        )
        _run(telling, stop, say, opened)


def _run(
    telling: Opened, stop: threading.Event, say: Say, opened: Callable[[Opened], None]
) -> None:
    restarts, tell = 0, opened
    while not stop.is_set():
        hub = _start(telling)
        say("starting the hub and the web service (about half a minute)")
        watch = _Watch(telling, hub, stop)
        try:
            if watch.wait_until_it_answers():
                tell(telling)
                tell = lambda _: None  # noqa: E731 - said once
                watch.keep()
        finally:
            left = watch.stop(say)
        if left:
            raise GatewayError(f"these processes did not stop: {[p.pid for p in left]}; end them")
        if stop.is_set():
            return
        restarts += 1
        if restarts > _RESTARTS:
            raise GatewayError(f"the hub stopped {restarts} times; {_last_lines(telling.log)}")
        say(f"the hub stopped by itself (code {hub.returncode}); starting it again")


def _start(telling: Opened) -> "subprocess.Popen[bytes]":
    folder = hub_folder(telling.facts.home)
    environment = {**os.environ, "GATEWAY_HOME": str(telling.facts.home)}
    descriptor = os.open(telling.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to hear; we stop the hub in order
        )


class _Watch:
    """Watches one start of the hub until it ends."""

    def __init__(
        self, telling: Opened, hub: "subprocess.Popen[bytes]", stop: threading.Event
    ) -> None:
        self._telling = telling
        self._hub = hub
        self._stop = stop
        self._known: dict[int, Process] = {}
        self._note()

    def wait_until_it_answers(self) -> bool:
        """Wait; return False when we are told to stop.

        Raises:
            GatewayError: It ended, or did not answer in time.
        """
        facts = self._telling.facts
        front = f"http://{_near(facts.settings.host)}:{facts.settings.hub_port}{facts.base}"
        waiting = [f"{front}hub/api/", f"{front}services/gateway/health"]
        deadline = time.monotonic() + _PATIENCE_S
        while waiting:
            if self._hub.poll() is not None:
                raise GatewayError(f"the hub did not start; {_last_lines(self._telling.log)}")
            if time.monotonic() > deadline:
                raise GatewayError(
                    f"{waiting[0]} did not answer in {_PATIENCE_S:.0f} s; "
                    f"{_last_lines(self._telling.log)}"
                )
            if self._stop.wait(_ASK_EVERY_S):
                return False
            waiting = [url for url in waiting if not _answers(url)]
        self._note()
        return True

    def keep(self) -> None:
        """Return when we are told to stop, or when the hub ended."""
        noted = time.monotonic()
        while self._hub.poll() is None and not self._stop.wait(_LOOK_S):
            if time.monotonic() - noted > _NOTE_EVERY_S:
                self._note()
                noted = time.monotonic()

    def stop(self, say: Say) -> list[Process]:
        """Stop the hub and whatever of it still runs; return what could not be stopped."""
        self._note()
        crashed = self._hub.poll() is not None and not self._stop.is_set()
        if self._hub.poll() is None:
            say("stopping")
            self._hub.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._hub.wait(_GRACE_S)
        # after a crash the next hub finds the notebook servers; else only those that shall outlive
        keep_servers = crashed or self._telling.kind.outlive
        mine = [p for p in self._known.values() if not (p.is_server and keep_servers)]
        left = end(mine)
        with suppress(subprocess.TimeoutExpired):
            self._hub.wait(1)
        write_down(self._telling.facts.home, left)
        return left

    def _note(self) -> None:
        """Write down what runs now; a parent that is killed cannot."""
        now = {process.pid: process for process in family(self._hub.pid)}
        if now != self._known and now:
            self._known |= now
            write_down(self._telling.facts.home, self._known.values())


def _clean_up(home: Path, say: Say) -> None:
    left = left_behind(home)
    if not left:
        return
    say(f"ending {len(left)} processes that an earlier start left behind")
    still = end(left, at_once=True)  # notebook servers go on, and the new hub finds them
    if still:
        raise GatewayError(
            f"processes of an earlier start do not end: {[p.pid for p in still]}; end them by hand"
        )


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the home for us alone; the lock goes with the process, however it ends."""
    path = hub_folder(home) / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            raise SettingsError(
                f"the hub of {home} runs already, as process {holder or 'unknown'}; stop that one, "
                "or use another home"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _listening(stop: threading.Event) -> Iterator[None]:
    """Hear signals: the first stops in order, a second ends the waiting."""

    def hear(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set():
            raise KeyboardInterrupt(number)
        stop.set()

    before = {n: signal.signal(n, hear) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port(host: str, port: int) -> int:
    """Return the public port; checked now, since the proxy would only say so in its log."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host} port {port}: {error.strerror or error}; choose another "
                "with `gateway up --port`, 0 for a free one, or the settings host and hub_port"
            ) from error
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=5) as answer:
            said = json.load(answer)
    except (URLError, OSError, ValueError):
        return False
    # the proxy answers before the hub does: only the hub says its version
    return "version" in said or said.get("status") == "ok"


def _near(host: str) -> str:
    """Return the address at which this machine reaches what listens on another."""
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - told apart
    return f"[{near}]" if ":" in near and not near.startswith("[") else near


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
    except OSError:
        return f"its log {log} cannot be read"
    return "\n".join([f"the end of its log {log}:", *lines])
