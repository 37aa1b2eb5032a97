"""Finds holders that died and gives their devices to who waits."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psutil

from gateway.service.gateway import Gateway
from gateway.service.leases.ledger import active_holders, reclaim
from gateway.service.leases.model import Holder

SILENCE = timedelta(seconds=45)
"""After so long without a word, one whose life nobody can look up counts as dead."""
_SAME_START_S = 1.0

Alive = Callable[[Holder], bool | None]
"""Whether a holder lives; None where this machine cannot tell."""


def process_alive(holder: Holder) -> bool | None:
    """Look a process of this machine up; a reboot ends all of them."""
    if holder.kind != "process" or holder.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(holder.id))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - holder.started) < _SAME_START_S
    except (psutil.NoSuchProcess, ValueError):
        return False
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
    for lease, beat, holder in active_holders(gateway):
        answers = (ask(holder) for ask in (*alive, process_alive))
        known = next((answer for answer in answers if answer is not None), None)
        if known is False:
            dead[lease] = (now, f"its holder, {holder.kind} {holder.id} on {holder.host}, died")
        elif known is None and now - beat > SILENCE:
            dead[lease] = (beat, f"its holder was silent for {SILENCE.seconds} s")
    return reclaim(gateway, dead) if dead else []
