"""Lends GPUs to notebook servers: held from before the start until after the stop.

Who asks while all are held waits in line and is told so on the page of the start. The lease is
first held by the hub, then by the container or process that was started; its id is kept in the
state of the server, so a hub that starts anew gives back what an earlier one took.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from gateway.errors import ConflictError, GatewayError, LimitError
from gateway.run.lent import LEASE_VARIABLE, NAMES_VARIABLE, lent_environment
from gateway.service.gateway import Gateway
from gateway.service.leases.containers import look_at_docker, reclaim_here
from gateway.service.leases.ending import release
from gateway.service.leases.holding import POLL_S, Wanted
from gateway.service.leases.inventory import take_inventory
from gateway.service.leases.ledger import ask, hand_over, refresh
from gateway.service.leases.model import Holder, Lease

STATE = "gateway_lease"
"""Under which name the state of a server keeps its lease."""
_WAIT_S = 600.0
_BEAT_S = 5.0
_SHOWN_S = 0.5
_PERCENT = 10
_VARIABLES = (LEASE_VARIABLE, NAMES_VARIABLE, "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES")


def wanted_of(person: str, options: Mapping[str, Any]) -> Wanted | None:
    """Return what a person chose in the form; None where no GPU was chosen."""
    gpu = options.get("gpu", "none")
    if gpu in ("", "none", None):
        return None
    return Wanted(person=person, purpose="notebook", whole=gpu == "whole")


def show_devices(spawner: Any, lease: Lease | None) -> None:
    """Let a server see the devices of a lease, and no others."""
    environment = {k: v for k, v in spawner.environment.items() if k not in _VARIABLES}
    names = lease.devices if lease is not None else ()
    in_container = spawner.has_trait("devices")
    if in_container:
        spawner.devices, spawner.lease = list(names), lease.id if lease is not None else ""
    if lease is None:
        # a process of this machine would see all of them
        hidden = {} if in_container else {"CUDA_VISIBLE_DEVICES": ""}
        spawner.environment = {**environment, **hidden}
        return
    shown = lent_environment(lease.id, names)
    if in_container:  # the engine gives it these devices only, and numbers them anew
        shown = {LEASE_VARIABLE: lease.id, NAMES_VARIABLE: ",".join(names)}
    spawner.environment = {**environment, **shown}


class Lending:
    """A hook of the hub that takes and gives back the lease of each server."""

    def __init__(
        self, gateway: Gateway, *, wait_s: float = _WAIT_S, poll_s: float = POLL_S
    ) -> None:
        """Lend the devices of a gateway; a start waits at most `wait_s` for one."""
        self._gateway = gateway
        self._wait_s = wait_s
        self._poll_s = poll_s
        self._keepers: dict[str, asyncio.Task[None]] = {}

    async def before_start(self, spawner: Any) -> None:
        """Wait for the devices that were chosen and show them to the server.

        Raises:
            LimitError: There are not so many, or none became free in time.
            ConflictError: An administrator took the request out of the line.
        """
        await self._return(spawner, "its server is started anew")
        if not (spawner.has_trait("devices") or hasattr(spawner, "pid")):
            return  # a cluster lends its own
        wanted = wanted_of(spawner.user.name, spawner.user_options)
        if wanted is None:
            show_devices(spawner, None)
            return
        _keep_in_state(spawner)
        lease = await asyncio.to_thread(self._ask, wanted)
        spawner.gateway_lease = lease.id
        lease = await self._wait(spawner, lease)
        show_devices(spawner, lease)
        self._keepers[lease.id] = asyncio.create_task(self._keep(spawner, lease.id))

    async def after_stop(self, spawner: Any) -> None:
        """Give back what the server held, also what an earlier hub took for it."""
        await self._return(spawner, "its server stopped")

    def _ask(self, wanted: Wanted) -> Lease:
        take_inventory(self._gateway)
        holder = Holder.this_process(starting=True)
        person, purpose = wanted.person, wanted.purpose
        return ask(self._gateway, person, holder, purpose=purpose, whole=wanted.whole)

    async def _wait(self, spawner: Any, lease: Lease) -> Lease:
        deadline = time.monotonic() + self._wait_s
        said = _Said(spawner)
        while lease.status == "waiting":
            said.text = f"Waiting for a GPU: {lease.sentence()}"
            if time.monotonic() > deadline:
                raise LimitError(
                    f"no GPU became free in {self._wait_s:.0f} s: {lease.sentence()}; start "
                    "without one, or try again later"
                )
            await asyncio.sleep(self._poll_s)
            await asyncio.to_thread(reclaim_here, self._gateway)
            lease = await asyncio.to_thread(refresh, self._gateway, lease.id)
        said.text = f"Got {', '.join(lease.devices)}"
        said.over = True
        return lease

    async def _keep(self, spawner: Any, lease: str) -> None:
        """Hand the lease to what was started, and stop the server when it is taken back."""
        handed = False
        while True:
            await asyncio.sleep(_BEAT_S)
            try:
                if not handed:
                    handed = await asyncio.to_thread(self._hand_over, spawner, lease)
                await asyncio.to_thread(refresh, self._gateway, lease)
            except ConflictError as error:
                spawner.log.warning("A server of %s is stopped: %s", spawner.user.name, error)
                self._keepers.pop(lease, None)  # what follows gives back, and would end this task
                await spawner.stop(now=True)
                await spawner.poll_and_notify()
                return
            except GatewayError as error:
                spawner.log.warning("The lease %s was not refreshed: %s", lease, error)

    def _hand_over(self, spawner: Any, lease: str) -> bool:
        if spawner.has_trait("devices"):
            look = look_at_docker(self._gateway)
            if look is None or lease not in look.live:
                return False
            holder = Holder.container(look.live[lease], look.engine)
        else:
            pid = getattr(spawner, "pid", 0)
            if not pid:
                return False
            holder = Holder.this_process(pid)
        hand_over(self._gateway, lease, holder)
        return True

    async def _return(self, spawner: Any, reason: str) -> None:
        lease = getattr(spawner, "gateway_lease", "") or (spawner.orm_spawner.state or {}).get(
            STATE, ""
        )
        keeper = self._keepers.pop(lease, None)
        if keeper is not None:
            keeper.cancel()
        if lease:
            if not await asyncio.to_thread(release, self._gateway, lease, reason):
                spawner.log.warning("The lease %s stays: what was started still runs", lease)
            spawner.gateway_lease = ""


class _Said:
    """What the page of a start tells while the server waits in line; then the spawner's own."""

    def __init__(self, spawner: Any) -> None:
        self.text = ""
        self.over = False
        self._own = type(spawner).progress.__get__(spawner)
        spawner.progress = self.progress

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what changes."""
        told = ""
        while True:
            if self.text != told:
                told = self.text
                yield {"progress": _PERCENT, "message": told}
            if self.over:
                break
            await asyncio.sleep(_SHOWN_S)
        async for event in self._own():
            yield event


def _keep_in_state(spawner: Any) -> None:
    """Let the hub's database keep the lease of a server beside what finds it again."""
    own = type(spawner).get_state.__get__(spawner)

    def get_state() -> dict[str, Any]:
        state: dict[str, Any] = own()
        return {**state, STATE: spawner.gateway_lease} if spawner.gateway_lease else state

    spawner.get_state = get_state
