"""Asks the container engine of this machine which containers still use lent devices."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.service.gateway import Gateway
from gateway.service.leases.liveness import reclaim_dead
from gateway.service.leases.model import LABEL, Active

_LOG = logging.getLogger("gateway.leases")
_PATIENCE_S = 10
_LIVE = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True, slots=True)
class Look:
    """What an engine said at one moment."""

    engine: str
    """Its id."""
    live: frozenset[str]
    """Leases that a live container has as its label."""


def look_at_docker() -> Look | None:
    """Ask the engine that `DOCKER_HOST` names, or the usual one; None where none answers."""
    try:
        import docker  # noqa: PLC0415 - an extra, and only where containers hold leases
        import requests  # noqa: PLC0415 - likewise
    except ImportError as error:
        _LOG.warning("containers hold leases, and nobody can look them up: %s", error)
        return None
    try:
        client = docker.from_env(timeout=_PATIENCE_S)
        try:
            found = client.api.containers(all=True, filters={"label": [LABEL]})
            engine = str(client.info()["ID"])
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        _LOG.warning("the container engine does not answer: %s", str(error))
        return None
    live = (one["Labels"][LABEL] for one in found if one["State"] in _LIVE)
    return Look(engine, frozenset(live))


@dataclass
class ContainerLife:
    """Whether the containers that hold leases live, by one look at the engine.

    It is taken at the first question, after the ledger was read: what is not there then has ended.
    """

    look: Callable[[], Look | None] = look_at_docker
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
    return reclaim_dead(gateway, ContainerLife())
