"""Finds holders that died and gives their devices to who waits."""

import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psutil

from gateway.run.lent import LEASE_VARIABLE
from gateway.service.gateway import Gateway
from gateway.service.leases.ledger import active_holders, reclaim
from gateway.service.leases.model import Active, Holder, this_boot

SILENCE = timedelta(seconds=45)
"""After so long without a word, one whose life nobody can look up counts as dead."""
STARTING = timedelta(seconds=15)
"""So long after its starter died, a container that was asked for may still appear."""
_SAME_START_S = 1.0

Alive = Callable[[Active], bool | None]
"""Whether the holder of a lease lives; None where this machine cannot tell."""


def process_alive(active: Active) -> bool | None:
    """Look a process of this machine up; a reboot ends all of them.

    What it started may outlive it and still use the device: whoever was told of the lease in its
    environment keeps it.
    """
    holder = active.holder
    if holder.host != socket.gethostname():
        return None
    if holder.boot and holder.boot != this_boot():
        return False
    if holder.kind != "process":
        return None
    try:
        return find_process(holder) is not None or any(heirs(active.lease))
    except psutil.AccessDenied:
        return None


def reclaim_dead(gateway: Gateway, *alive: Alive) -> list[str]:
    """End the leases of dead holders; call it every few seconds.

    Args:
        gateway: The gateway.
        alive: Who may know: asked in order until one can tell; processes of this machine are
            looked up in any case.

    Returns:
        The leases that were ended.
    """
    now = datetime.now(UTC)
    dead = {}
    for active in active_holders(gateway):
        holder, silent = active.holder, now - active.beat
        answers = (ask(active) for ask in (*alive, process_alive))
        known = next((answer for answer in answers if answer is not None), None)
        if known is False and not (holder.starting and silent < STARTING):
            name = f"{holder.kind} {holder.id[:12]} on {holder.host}"
            dead[active.lease] = (now, f"its holder, {name}, died")
        elif known is None and silent > SILENCE:
            reason = f"its holder was silent for {SILENCE.seconds} s"
            dead[active.lease] = (active.beat, reason)
    return reclaim(gateway, dead) if dead else []


def find_process(holder: Holder) -> psutil.Process | None:
    """Return the process of a holder, if it is one of this machine that lives."""
    if holder.kind != "process" or holder.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(holder.id))
        same = abs(process.create_time() - holder.started) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, ValueError):
        return None


def heirs(lease: str) -> Iterator[psutil.Process]:
    """Yield the processes of this machine that were started for a lease and live."""
    for process in psutil.process_iter():
        try:
            mine = process.pid != os.getpid() and process.environ().get(LEASE_VARIABLE) == lease
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.Error, OSError):
            continue  # of somebody else, or gone
