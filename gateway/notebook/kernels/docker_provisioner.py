"""Starts a Jupyter kernel in the image of a tool, and talks to it through sockets in a folder.

The container has no network unless one is configured: the sockets of the kernel lie in a folder
that it shares with Jupyter and nobody else.
"""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from docker.errors import APIError, DockerException, NotFound
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Float, Int, Unicode

from gateway.errors import SettingsError
from gateway.notebook.kernels.container import LABEL, Wish, container_values
from gateway.notebook.kernels.lent import KernelLease
from gateway.service.container_engine import connect_engine
from gateway.service.settings import find_home, read_settings
from gateway.volumes.store import open_store

_IMAGE_USER = 1000
_PATIENCE_S = 60.0
_YOUNG = "5m"
_LOOK_S = 0.1
_LEASE_LOOK_S = 5.0
_LAST_LINES = 20
_NEVER_STARTED = 1
T = TypeVar("T")


class DockerProvisioner(KernelProvisionerBase):  # type: ignore[misc]  # publishes no types
    """A kernel in a container of this machine's engine."""

    image = Unicode(help="The image, which holds ipykernel.").tag(config=True)
    home = Unicode(help="Gateway home whose datasets are shown and whose GPUs are lent.").tag(
        config=True
    )
    gpus = Int(0, help="How many GPUs the kernel holds.").tag(config=True)
    gpu_wait_s = Float(50.0, help="How long a start waits in line for them.").tag(config=True)
    network = Unicode("none", help="Network of the container.").tag(config=True)
    memory = Unicode("", help="Most memory of the container: `8g`.").tag(config=True)

    _client: Any = None
    _container: Any = None
    _folder: Path | None = None
    _alive: int = -1
    """Our end of the pipe whose end tells the kernel that we are gone."""
    _lease: KernelLease | None = None
    _lease_seen: float = 0.0
    _code: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is a container."""
        return self._container is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Make the folder of the sockets, and wait for the GPUs.

        Raises:
            SettingsError: No engine answers, or no home is named and GPUs are wanted.
            LimitError: No GPU became free in time.
        """
        manager = self.parent
        if self._folder is None:
            self._folder = await asyncio.to_thread(_make_folder)
            self._alive = os.open(self._folder / "alive", os.O_RDWR | os.O_NONBLOCK)
            manager.transport, manager.ip = "ipc", str(self._folder / "zmq")
            manager.cache_ports = False
        home = self._find_home()
        if self._lease is None:
            self._lease = KernelLease(home, self.gpus, self.gpu_wait_s)
        await asyncio.to_thread(self._lease.take)
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        _write_private(self._folder / "connection.json", self.connection_info)
        kwargs.pop("extra_arguments", None)
        return dict(await super().pre_launch(cmd=list(self.kernel_spec.argv), **kwargs))

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Create the container and start it.

        Raises:
            SettingsError: The engine refused; holds its words.
        """
        del cmd
        wish = self._wish(kwargs)
        self._code = None
        await asyncio.to_thread(self._start, wish)
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel lives, else the status it ended with."""
        if self._container is None:
            return 0 if self._code is None else self._code
        code: int | None = await asyncio.to_thread(self._look)
        return code

    async def wait(self) -> int | None:
        """Return when the kernel has ended."""
        while (code := await self.poll()) is None:  # noqa: ASYNC110 - the engine tells who asks
            await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(self._remove)
        return code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel, such as that of an interrupt."""
        if self._container is not None and signum != 0:
            container = self._container
            await asyncio.to_thread(_unless_gone, lambda: container.kill(signal=signum))

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - Jupyter's interface
        """End the kernel at once."""
        await self.shutdown_requested(restart=restart)
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        """End the kernel; it was asked to before, and as first process it ignores SIGTERM."""
        await self.kill(restart=restart)

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        """Keep the GPUs for the next container, where there will be one."""
        if restart and self._lease is not None:
            await asyncio.to_thread(self._lease.keep_for_restart)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        """Remove the container; without a restart also the folder, and give the GPUs back."""
        await asyncio.to_thread(self._remove)
        if restart:
            return
        lease, self._lease = self._lease, None
        if lease is not None:
            await asyncio.to_thread(lease.give_back, "its kernel ended")
            lease.close()
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._client is not None:
            self._client.close()
            self._client = None

    async def get_provisioner_info(self) -> dict[str, Any]:
        """Return what finds the container again."""
        info: dict[str, Any] = await super().get_provisioner_info()
        name = self._container.id if self._container is not None else ""
        return {**info, "container": name}

    def _find_home(self) -> Path | None:
        named = Path(self.home) if self.home else None
        try:
            return find_home(named)
        except SettingsError:
            if named is not None or self.gpus:
                raise
            return None

    def _wish(self, launch: dict[str, Any]) -> Wish:
        home, work = self._find_home(), Path(launch.get("cwd") or Path.cwd())
        store = open_store(read_settings(home).store).local_path("") if home is not None else None
        lease = self._lease
        return Wish(
            image=self.image,
            folder=self._folder or Path(),
            work=work if work != Path(work.root) else None,
            data=store,
            user=_kernel_user(),
            network=self.network,
            memory=self.memory,
            environment=launch.get("env") or {},
            lease=lease.id if lease is not None else "",
            devices=lease.devices if lease is not None else (),
        )

    def _start(self, wish: Wish) -> None:
        try:
            client = self._connected()
            # of servers that were killed; a young one may be about to be started by another server
            client.containers.prune(filters={"label": [LABEL], "until": _YOUNG})
            self._container = client.containers.create(**container_values(wish))
            self._container.start()
            if self._lease is not None:
                self._lease.hand_to(self._container.id, client.info()["ID"])
        except (DockerException, OSError) as error:
            self._remove()
            raise SettingsError(
                f"the container engine did not start a kernel in {self.image}: {error}; check that "
                "the engine runs and has this image (`docker image ls`)"
            ) from error
        except BaseException:
            self._remove()
            raise

    def _connected(self) -> Any:
        if self._client is None:
            home = self._find_home()
            named = read_settings(home).docker_host if home is not None else None
            self._client = connect_engine(named, _PATIENCE_S)
        return self._client

    def _look(self) -> int | None:
        """Return the status of a container that has ended; a lease that is over ends it."""
        lease = self._lease
        if lease is not None and time.monotonic() - self._lease_seen > _LEASE_LOOK_S:
            self._lease_seen = time.monotonic()
            reason = lease.is_over()
            if reason:
                self.log.warning("The kernel is ended: %s", reason)
                _unless_gone(self._container.kill)
        try:
            self._container.reload()
        except NotFound:
            return self._ended(_NEVER_STARTED)
        state = self._container.attrs["State"]
        if state["Running"] or state["Paused"]:
            return None
        return self._ended(int(state["ExitCode"]))

    def _ended(self, code: int) -> int:
        if self._code is None:
            self._code = code
            if code and code != 128 + signal.SIGKILL:
                log = _unless_gone(lambda: self._container.logs(tail=_LAST_LINES)) or b""
                self.log.error("The kernel ended with %d: %s", code, log.decode(errors="replace"))
        return code

    def _remove(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            _unless_gone(lambda: container.remove(force=True))


def _make_folder() -> Path:
    """Make the folder of the sockets; its path is short, since that of a socket must be."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    parent = runtime if runtime and Path(runtime).is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="gateway-kernel-", dir=parent))
    os.mkfifo(folder / "alive", 0o600)
    _give_to_kernel(folder, folder / "alive")
    return folder


def _write_private(path: Path, info: KernelConnectionInfo) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(info, file, default=lambda key: key.decode())
    _give_to_kernel(path)


def _kernel_user() -> tuple[int, int]:
    """Return who the kernel runs as: whoever runs Jupyter, but never root."""
    if os.getuid() == 0:
        return _IMAGE_USER, _IMAGE_USER
    return os.getuid(), os.getgid()


def _give_to_kernel(*paths: Path) -> None:
    if os.getuid() == 0:
        for path in paths:
            os.chown(path, *_kernel_user())


def _unless_gone(work: Callable[[], T]) -> T | None:
    """Do something to a container that may have ended in the meantime."""
    try:
        return work()
    except APIError:
        return None
