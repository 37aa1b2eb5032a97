"""Takes a lease from its holder, who is stopped first: nobody else may get its devices before."""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

from gateway.errors import ConflictError
from gateway.service.gateway import Gateway
from gateway.service.leases.containers import kill_container, look_at_docker
from gateway.service.leases.ledger import (
    active_holders,
    ask_back,
    find_lease,
    give_back,
    hand_over,
)
from gateway.service.leases.liveness import find_process, heirs
from gateway.service.leases.model import Holder, Lease

_LOG = logging.getLogger("gateway.leases")
PATIENCE_S = 12.0
"""So long a holder has to stop by itself: it hears of it within a heartbeat."""
_LOOK_S = 0.25
_DEATH_S = 10.0


def take_back(gateway: Gateway, lease: str, reason: str) -> Lease:
    """End a lease, and whatever still uses its devices on this machine; returns it ended.

    A container is killed at once. A process is told by its next heartbeat; one that does not give
    back soon is ended, with what it started.

    Raises:
        NotFoundError: There is no such lease.
    """
    taken = ask_back(gateway, lease, reason)
    deadline = time.monotonic() + PATIENCE_S
    killed = taken.status == "held" and kill_container(gateway, lease)
    while taken.status == "held" and not killed and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        taken = find_lease(gateway, lease)
    if taken.status != "held":
        return taken
    if not killed:
        _end_processes(lease, _holder(gateway, lease))
    return give_back(gateway, lease, reason)


def release(gateway: Gateway, lease: str, reason: str) -> bool:
    """Give a lease back, unless something still uses its devices; whether it was given back.

    What still uses them becomes the holder: when it dies, they come back.

    Raises:
        NotFoundError: There is no such lease.
    """
    if find_lease(gateway, lease).status == "held":
        look, heir = look_at_docker(gateway), next(heirs(lease), None)
        with suppress(ConflictError):  # it has ended in this moment
            if look is not None and lease in look.live:
                hand_over(gateway, lease, Holder.container(look.live[lease], look.engine))
                return False
            if heir is not None:
                hand_over(gateway, lease, Holder.this_process(heir.pid))
                return False
    give_back(gateway, lease, reason)
    return True


def _holder(gateway: Gateway, lease: str) -> Holder | None:
    return next((one.holder for one in active_holders(gateway) if one.lease == lease), None)


def _end_processes(lease: str, holder: Holder | None) -> None:
    found = list(heirs(lease))
    # who starts containers for many, as a hub does, is not ended for one of them
    if holder is not None and not holder.starting:
        process = find_process(holder)
        if process is not None and process.pid != os.getpid():
            found.append(process)
    for process in found:
        _signal(process, kill=False)
    for process in _survivors(found):
        _signal(process, kill=True)
    _survivors(found)


def _survivors(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Wait until processes have ended, their parents may not have heard of it; returns others."""
    deadline = time.monotonic() + _DEATH_S
    while (alive := [one for one in processes if _lives(one)]) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        _LOG.warning("process %d of somebody else still uses a device taken back", process.pid)
