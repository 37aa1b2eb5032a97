"""Holds devices while a block of code runs: waits in line, keeps the lease, gives it back."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import ConflictError, GatewayError, RunCancelledError
from gateway.service.gateway import Gateway
from gateway.service.leases.containers import reclaim_here
from gateway.service.leases.inventory import take_inventory
from gateway.service.leases.ledger import BEAT, ask, give_back, refresh
from gateway.service.leases.model import Holder, Lease, Purpose

_LOG = logging.getLogger("gateway.leases")
POLL_S = 2.0
"""How often one who waits asks again."""
_LOOKS = 3
"""Every how many questions one who waits looks for the dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who wants how many devices, and what for."""

    person: str
    purpose: Purpose
    devices: int = 1
    whole: bool = True
    """Whether alone; else one share of each."""


@contextmanager
def holding(
    gateway: Gateway,
    wanted: Wanted,
    *,
    waits: Callable[[Lease], None] = lambda _: None,
    lost: Callable[[str], None] = lambda _: None,
    cancel: threading.Event | None = None,
) -> Iterator[Lease]:
    """Give a lease that this process holds until the block ends, however it ends.

    Args:
        gateway: The gateway.
        wanted: What is asked for.
        waits: Told the lease whenever its place in the line changes.
        lost: Told why, from another thread, when the lease was revoked.
        cancel: Set it to leave the line.

    Raises:
        LimitError: There are not so many devices.
        RunCancelledError: `cancel` was set while it waited.
        ConflictError: It was revoked while it waited.
    """
    take_inventory(gateway)
    lease = ask(
        gateway,
        wanted.person,
        Holder.this_process(),
        purpose=wanted.purpose,
        devices=wanted.devices,
        whole=wanted.whole,
    )
    reason = "given back"
    try:
        lease = wait_in_line(gateway, lease, waits, cancel or threading.Event())
        with _kept(gateway, lease, lost):
            yield lease
    except BaseException as error:
        reason = f"given back after {type(error).__name__}"
        raise
    finally:
        give_back(gateway, lease.id, reason)


def wait_in_line(
    gateway: Gateway, lease: Lease, waits: Callable[[Lease], None], cancel: threading.Event
) -> Lease:
    """Return the lease once it is held.

    Raises:
        RunCancelledError: `cancel` was set.
        ConflictError: It was revoked.
    """
    told, asked = "", 0
    while lease.status == "waiting":
        if lease.sentence() != told:
            told = lease.sentence()
            waits(lease)
        if asked % _LOOKS == 0:
            reclaim_here(gateway)
        elif cancel.wait(POLL_S):
            raise RunCancelledError(f"stopped while it waited for a GPU: {told}")
        asked += 1
        lease = refresh(gateway, lease.id)
    return lease


@contextmanager
def _kept(gateway: Gateway, lease: Lease, lost: Callable[[str], None]) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT.total_seconds() / 2):
            try:
                refresh(gateway, lease.id)
            except ConflictError as error:
                if not ended.is_set():
                    lost(str(error))
                return
            except GatewayError as error:  # this process lives, whatever the database does
                _LOG.warning("the lease %s was not refreshed: %s", lease.id, error)

    thread = threading.Thread(target=beat, name="lease-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
