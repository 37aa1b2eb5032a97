"""Asks the container engine of this machine which containers still use lent devices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.service.container_engine import ask_engine
from gateway.service.gateway import Gateway
from gateway.service.leases.liveness import reclaim_dead
from gateway.service.leases.model import LABEL, Active

_LIVE = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True, slots=True)
class Look:
    """What an engine said at one moment."""

    engine: str
    """Its id."""
    live: Mapping[str, str]
    """Lease to the live container that has it as its label."""


def look_at_docker(gateway: Gateway) -> Look | None:
    """Ask the engine of a gateway; None where none answers."""
    return ask_engine(gateway.settings.docker_host, _look)


def kill_container(gateway: Gateway, lease: str) -> bool:
    """Kill whatever containers have the label of a lease; whether there was one."""

    def kill(client: Any) -> bool:
        found = client.api.containers(filters={"label": [f"{LABEL}={lease}"]})
        for one in found:
            client.api.kill(one["Id"])
        return bool(found)

    return ask_engine(gateway.settings.docker_host, kill) or False


def _look(client: Any) -> Look:
    found = client.api.containers(all=True, filters={"label": [LABEL]})
    engine = str(client.info()["ID"])
    live = {one["Labels"][LABEL]: one["Id"] for one in found if one["State"] in _LIVE}
    return Look(engine, live)


@dataclass
class ContainerLife:
    """Whether the containers that hold leases live, by one look at the engine.

    It is taken at the first question, after the ledger was read: what is not there then has ended.
    """

    look: Callable[[], Look | None]
    _seen: list[Look | None] = field(default_factory=list, init=False)

    def __call__(self, active: Active) -> bool | None:
        """Tell of the holder of a lease; None where the engine does not know it."""
        holder = active.holder
        if holder.kind != "container" and not holder.starting:
            return None
        if not self._seen:
            self._seen.append(self.look())
        seen = self._seen[0]
        if seen is None:
            return None
        if active.lease in seen.live:
            return True
        return False if holder.kind == "container" and holder.engine == seen.engine else None


def reclaim_here(gateway: Gateway) -> list[str]:
    """End the leases whose process or container of this machine died; returns them."""
    return reclaim_dead(gateway, ContainerLife(partial(look_at_docker, gateway)))
