"""Lends GPUs to a run whose tool needs them, from before it begins until after it ended."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import NotFoundError, RunCancelledError, RunError
from gateway.run.events import Listener, RunWaiting
from gateway.run.lent import LEASE_VARIABLE, given_by_slurm
from gateway.run.plan import Plan
from gateway.service.gateway import Gateway
from gateway.service.leases.holding import Wanted, holding
from gateway.service.leases.ledger import find_lease
from gateway.service.leases.model import Lease


@contextmanager
def lent_to_run(
    gateway: Gateway,
    plan: Plan,
    person: str,
    listeners: Sequence[Listener] = (),
    cancel: threading.Event | None = None,
) -> Iterator[tuple[Plan, threading.Event | None]]:
    """Give the plan with the devices that are lent to it, and the event that stops it.

    What was started by `gateway leases hold` uses the lease it has, a job of Slurm the GPUs that
    Slurm gave it.

    Args:
        gateway: The gateway.
        plan: What will be done.
        person: Who asked for it.
        listeners: Told when it waits in line.
        cancel: Set it to stop the run, or its waiting.

    Raises:
        LimitError: There is no GPU.
        RunCancelledError: `cancel` was set while it waited.
        RunError: The lease was revoked; what is done is kept.
    """
    if not plan.gpus or plan.published or given_by_slurm(os.environ):
        yield plan, cancel
        return
    own = _own_lease(gateway, plan.gpus)
    if own is not None:
        yield _with(plan, own), cancel
        return
    stop, revoked = cancel or threading.Event(), list[str]()

    def lost(reason: str) -> None:
        revoked.append(reason)
        stop.set()

    def waits(lease: Lease) -> None:
        for listener in listeners:
            listener(RunWaiting(run_id=plan.run.name, reason=lease.sentence()))

    wanted = Wanted(person=person, purpose="run", devices=plan.gpus)
    try:
        with holding(gateway, wanted, waits=waits, lost=lost, cancel=stop) as lease:
            yield _with(plan, lease), stop
    except RunCancelledError as error:
        if revoked:
            raise RunError(
                f"{plan.call.tool} lost its GPU: {revoked[0]}; run it again to go on"
            ) from error
        raise


def _with(plan: Plan, lease: Lease) -> Plan:
    return replace(plan, options=replace(plan.options, devices=lease.devices, lease=lease.id))


def _own_lease(gateway: Gateway, gpus: int) -> Lease | None:
    """Return the lease this process was started with, where it is enough."""
    try:
        lease = find_lease(gateway, os.environ.get(LEASE_VARIABLE, ""))
    except NotFoundError:
        return None
    return lease if lease.status == "held" and len(lease.devices) >= gpus else None
