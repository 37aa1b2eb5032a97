"""Starts the web service: uvicorn on the address of the settings, in one process or several."""

import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from gateway.errors import GatewayError, SettingsError
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.jobs.dispatch import start_waiting
from gateway.service.retention import forget_old
from gateway.web.app import create_app
from gateway.web.logs import set_up_logs
from gateway.web.metrics import SHARED_FOLDER

_HOME = "GATEWAY_HOME"
_GRACE_S = 20
_LOOK_S = 0.1
_DAY_S = 24 * 3600
_LOG = logging.getLogger(__name__)
Started = Callable[[str, str], None]


def build() -> ASGIApp:
    """Make the application in a worker process; uvicorn calls this."""
    gateway = open_gateway(Path(os.environ[_HOME]))
    set_up_logs(as_json=gateway.settings.log_json)
    return create_app(gateway)


def serve(gateway: Gateway, *, started: Started) -> None:
    """Serve until told to stop; requests in flight finish.

    Args:
        gateway: What to serve; its settings say where and with how many processes.
        started: Called once when requests are answered, with the address that people type and the
            one that is listened on; they differ behind a proxy.

    Raises:
        SettingsError: The address cannot be listened on.
        GatewayError: The service could not start; the log says why.
    """
    settings = gateway.settings
    set_up_logs(as_json=settings.log_json)
    start_waiting(gateway)  # what has waited since the machine went down
    several = settings.web_workers > 1
    with closing(_listen(settings.host, settings.port)) as listening, _forgetting(gateway):
        port = listening.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        here = f"http://{host}:{port}"
        tell = partial(started, settings.base_url or here, here)
        os.environ[_HOME] = str(gateway.home)
        app = "gateway.web.server:build" if several else create_app(gateway)
        config = uvicorn.Config(
            app,
            factory=several,
            http="gateway.web.data.zero_copy:ZeroCopyProtocol",
            workers=settings.web_workers,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=settings.base_url is not None,
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=_GRACE_S,
        )
        if several:
            with _shared_counts():
                _Workers(config, listening, tell).run()
        else:
            _Server(config, tell).run(sockets=[listening])


class _Server(uvicorn.Server):
    """The only process: says when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()


class _Workers(Multiprocess):
    """The parent of several processes: says when they answer; a second signal ends them at once."""

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, started: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets=[listening])
        self._tell = started

    def init_processes(self) -> None:
        super().init_processes()
        for process in self.processes:
            while not process.is_ready(timeout=1):
                self.handle_signals()
                if self.should_exit.wait(_LOOK_S):
                    return
                if not process.process.is_alive():
                    self.terminate_all()
                    self.join_all()
                    raise GatewayError("the web service could not start; see the lines above")
        self._tell()

    def join_all(self) -> None:
        self.signal_queue.clear()
        for process in self.processes:
            while process.process.is_alive():
                process.process.join(_LOOK_S)
                if self.signal_queue:
                    process.process.kill()


@contextmanager
def _shared_counts() -> Iterator[None]:
    """Give the workers a folder in which they count together; whoever is asked reads them all."""
    with tempfile.TemporaryDirectory(prefix="gateway-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]


@contextmanager
def _forgetting(gateway: Gateway) -> Iterator[None]:
    """Delete what is kept for a time only, now and each day, beside the serving."""
    stopped = threading.Event()

    def work() -> None:
        while True:
            try:
                forgotten = forget_old(gateway)
            except GatewayError as error:
                _LOG.warning("what is too old was not deleted: %s", error)
            else:
                _LOG.debug("deleted for their age: %s", forgotten)
            if stopped.wait(_DAY_S):
                return

    thread = threading.Thread(target=work, name="forgetting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=_GRACE_S)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen on {host} port {port}: {_reason(error)}; choose others with the "
            "settings host and port, or `gateway serve --port 0` for a free one"
        ) from error
    listening.set_inheritable(True)
    return listening


def _reason(error: OSError) -> Any:
    return error.strerror or error
