"""Starts each person's notebook server in a container that sees what its person may read."""

import asyncio
import time
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.types import Mount
from dockerspawner import DockerSpawner
from traitlets import Bool, Int, List, Unicode

from gateway.errors import GatewayError
from gateway.hub.binds import MOUNT, Binds
from gateway.hub.containment import (
    LABEL,
    Limits,
    Machine,
    check_limits,
    create_values,
    host_values,
)
from gateway.hub.engine_network import bridge_of, isolate_ports
from gateway.hub.engine_reasons import explain_end, explain_start
from gateway.hub.home_volume import ensure_home
from gateway.hub.shown_data import binds_of, gateway_of
from gateway.service.leases.model import LABEL as LEASE_LABEL

_LOOK_S = 0.1
_LOG_LINES = 20


class GatewayDockerSpawner(DockerSpawner):  # type: ignore[misc]  # publishes no types
    """A container per server: read-only binds by rights, limits that hold, no rights of its own."""

    gateway_home = Unicode(help="Home of the gateway whose rights hold.").tag(config=True)
    processes = Int(1024, help="Most processes and threads of a container.").tag(config=True)
    scratch_bytes = Int(2**30, help="Size of /tmp, which is in memory.").tag(config=True)
    home_bytes = Int(
        0, help="Size of a home, where the engine's disk can limit it; 0 sets no limit."
    ).tag(config=True)
    home_folder = Unicode("/home/gateway", help="The home in the image.").tag(config=True)
    container_user = Unicode("1000:1000", help="UID:GID of the image's user.").tag(config=True)
    volume_template = Unicode(
        "gateway-home-{username}", help="Name of the volume with a person's home."
    ).tag(config=True)
    cmd: Any
    notebook_dir: Any
    object_id: Any

    devices = List(Unicode(), help="CDI names of what is lent to this server.").tag(config=True)
    lease = Unicode(help="Id of the lease of the devices; the container carries it as a label.")
    isolate = Bool(default_value=True, help="Whether containers are kept from one another.").tag(
        config=True
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the hub's configuration; what would open the container is not left to it."""
        super().__init__(*args, **kwargs)
        # a container that is started again would keep the binds of rights that are gone
        self.remove = True
        self.use_internal_ip = True
        self.cmd = self.cmd or ["jupyterhub-singleuser"]
        self.notebook_dir = self.notebook_dir or self.home_folder
        self._shown = Binds()

    @property
    def mount_binds(self) -> list[Any]:
        """The home, and one read-only bind for each thing that the person may read."""
        home = self._render_templates(self.volume_template)
        shown = [
            Mount(target=bind.target, source=bind.source, type="bind", read_only=True)
            for bind in self._shown.binds
        ]
        own = [Mount(target=self.home_folder, source=home, type="volume"), *shown]
        return [*super().mount_binds, *own]

    def get_env(self) -> dict[str, Any]:
        """Return the environment of the container."""
        return {**super().get_env(), "HOME": self.home_folder, "GATEWAY_DATA": MOUNT}

    async def start(self) -> tuple[str, int]:
        """Start the container by the rights of this moment; say why where it does not start.

        Raises:
            ServerStartError: With the engine's reason.
        """
        try:
            await self._prepare()
            where: tuple[str, int] = await super().start()
            if self.isolate:
                await self._isolate()
            await self._answering(*where)
        except Exception as error:  # the hub would show none but its own words
            self.log.warning("The server of %s did not start: %s", self._log_name, error)
            await self._tidy()
            raise explain_start(error, self.image) from error
        return where

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 - the hub's interface
        """Stop and remove the container; one that is gone already is forgotten."""
        if self.object_id:
            await super().stop(now)
        else:
            self.clear_state()

    async def create_object(self) -> Any:
        """Create the container, held in."""
        limits = self._limits()
        # braces would be filled in by the parent's templates
        owner = self.gateway_home.replace("{", "{{").replace("}", "}}")
        labels = {LABEL: owner, "gateway.person": self.user.name}
        labels |= {LEASE_LABEL: self.lease} if self.lease else {}
        self.extra_create_kwargs = create_values(self.container_user, self.home_folder, labels)
        self.extra_host_config = host_values(limits, self.devices)
        return await super().create_object()

    async def check_allowed(self, image: str) -> str:
        """Return the image that was chosen among those offered; the form's word for it is none."""
        del image
        return str(self.image)

    async def remove_object(self) -> None:
        """Remove the container, unless it is none of ours.

        Raises:
            GatewayError: Something else has its name.
        """
        found = await self.docker("inspect_container", self.object_id)
        if LABEL not in (found["Config"].get("Labels") or {}):
            name, self.object_id = self.object_name, ""
            raise GatewayError(
                f"a container that this hub did not make has the name {name}; "
                f"remove it with `docker rm {name}` or rename it, then try again"
            )
        await super().remove_object()

    async def _prepare(self) -> None:
        info = await self.docker("info")
        machine = Machine(memory_bytes=info["MemTotal"], cpus=info["NCPU"])
        check_limits(self._limits(), machine)
        name = self._render_templates(self.volume_template)
        limited = await self._in_thread(
            ensure_home, self.client, name, self.home_bytes or None, self.gateway_home
        )
        if self.home_bytes and not limited:
            self.log.warning("The engine's disk cannot limit the home %s: it has no quotas", name)
        person = self.user.name
        gateway = await self._in_thread(gateway_of, Path(self.gateway_home))
        self._shown = await self._in_thread(binds_of, gateway, person)
        if self._shown.over_http:
            self.log.info(
                "%s reads %d things by bind, %d over HTTP only (first: %s)",
                person,
                len(self._shown.binds),
                len(self._shown.over_http),
                ": ".join(map(str, self._shown.over_http[0])),
            )

    async def _answering(self, ip: str, port: int) -> None:
        """Wait until the server takes connections, or say why it ended."""
        until = time.monotonic() + self.start_timeout
        while time.monotonic() < until:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(ip, port), _LOOK_S * 10)
            except (OSError, TimeoutError):
                await self._refuse_ended()
                await asyncio.sleep(_LOOK_S)
            else:
                writer.close()
                return

    async def _refuse_ended(self) -> None:
        found = await self.docker("inspect_container", self.object_id)
        if found["State"]["Running"]:
            return
        log = await self.docker("logs", self.object_id, tail=_LOG_LINES)
        raise explain_end(found["State"], log.decode(errors="replace"), self._limits().memory_bytes)

    async def _isolate(self) -> None:
        network = await self.docker("inspect_network", self.network_name)
        if not await self._in_thread(isolate_ports, bridge_of(network)):
            self.log.warning(
                "Containers can reach one another on the network %s unless the engine forbids it: "
                "this account may not isolate the ports of its bridge",
                self.network_name,
            )

    async def _tidy(self) -> None:
        """Leave nothing of a start that failed."""
        if not self.object_id:
            return
        try:
            await self.docker("remove_container", self.object_id, v=True, force=True)
        except (APIError, OSError) as error:
            self.log.warning("The container %s was not removed: %s", self.object_name, error)
        self.object_id = ""

    def _limits(self) -> Limits:
        return Limits(
            memory_bytes=int(self.mem_limit) if self.mem_limit else None,
            cpus=self.cpu_limit or None,
            processes=self.processes,
            scratch_bytes=self.scratch_bytes,
        )

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.to_thread(work, *arguments)
