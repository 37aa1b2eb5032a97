"""Starts the web service: uvicorn on the address of the settings, in one process or several."""

import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from gateway.errors import SettingsError
from gateway.service.gateway import Gateway, open_gateway
from gateway.web.app import create_app

_HOME = "GATEWAY_HOME"


def build() -> ASGIApp:
    """Make the application in a worker process; uvicorn calls this."""
    return create_app(open_gateway(Path(os.environ[_HOME])))


def serve(gateway: Gateway, *, started: Callable[[str], None]) -> None:
    """Serve until told to stop; requests in flight finish.

    Args:
        gateway: What to serve; its settings say where and with how many processes.
        started: Called once with the address, when connections are accepted.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    settings = gateway.settings
    listening = _listen(settings.host, settings.port)
    with closing(listening):
        port = listening.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        started(settings.base_url or f"http://{host}:{port}")
        os.environ[_HOME] = str(gateway.home)
        config = uvicorn.Config(
            "gateway.web.server:build",
            factory=True,
            http="gateway.web.data.zero_copy:ZeroCopyProtocol",
            workers=settings.web_workers,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=settings.base_url is not None,
            timeout_graceful_shutdown=20,
        )
        if settings.web_workers > 1:
            # uvicorn loads its supervisor on request only
            from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - as above

            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose others with the "
            "settings host and port, or `gateway serve --port 0` for a free one"
        ) from error
    listening.listen(2048)
    listening.set_inheritable(True)
    return listening
