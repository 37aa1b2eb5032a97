"""The processes a hub started, written down so that a later start can end what was left behind."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from gateway.hub.places import hub_folder, write_private

_FILE = "processes.json"
_SAME_START_S = 1.0
_PATIENCE_S = 15.0
_PERSON = "JUPYTERHUB_USER"
"""Variable that is somebody's name in a notebook server; it is empty in a service."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine; numbers are used again, so the time it began tells it apart."""

    pid: int
    started: float
    is_server: bool = False
    """Whether it is somebody's notebook server, which a new hub finds again."""


def describe(pid: int) -> Process | None:
    """Return a process that runs; None where it does not, or is not ours to see."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        with suppress(psutil.AccessDenied):
            is_server = bool(process.environ().get(_PERSON))
            return Process(pid, process.create_time(), is_server)
        return Process(pid, process.create_time())
    except psutil.NoSuchProcess:
        return None


def family(pid: int) -> list[Process]:
    """Return a process and those it started itself, without what these started in turn."""
    found = [describe(pid)]
    with suppress(psutil.NoSuchProcess):
        found += [describe(child.pid) for child in psutil.Process(pid).children()]
    return [process for process in found if process is not None]


def write_down(home: Path, processes: Iterable[Process]) -> None:
    """Keep what runs, for the next start."""
    write_private(hub_folder(home) / _FILE, json.dumps([asdict(p) for p in processes]))


def left_behind(home: Path) -> list[Process]:
    """Return what an earlier start left running, without notebook servers."""
    try:
        kept = json.loads((hub_folder(home) / _FILE).read_text(encoding="utf-8"))
        noted = [Process(**values) for values in kept]
    except (OSError, ValueError, TypeError):
        return []
    alive = [p for p in noted if not p.is_server and is_alive(p)]
    # a start that was killed early had no time to note what they started
    found = {one.pid: one for parent in alive for one in family(parent.pid)}
    return [one for one in found.values() if not one.is_server]


def is_alive(process: Process) -> bool:
    """Tell whether it is this process that runs under its number."""
    now = describe(process.pid)
    return now is not None and abs(now.started - process.started) < _SAME_START_S


def end(
    processes: Iterable[Process], *, at_once: bool = False, patience_s: float = _PATIENCE_S
) -> list[Process]:
    """Ask processes to stop, wait, and kill those that do not; return those that still run.

    Args:
        processes: Which; one that has ended, or whose number another has now, is left alone.
        at_once: Whether to kill without asking: a hub that is asked stops the notebook servers.
        patience_s: How long to wait.
    """
    alive = [p for p in processes if is_alive(p)]
    known = []
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            known.append(psutil.Process(process.pid))
    for each in known:
        with suppress(psutil.NoSuchProcess):
            each.kill() if at_once else each.terminate()
    _, stubborn = psutil.wait_procs(known, timeout=patience_s)
    for each in stubborn:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(stubborn, timeout=patience_s)
    return [p for p in alive if is_alive(p)]
