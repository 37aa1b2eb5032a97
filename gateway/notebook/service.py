"""Where a browser finds the gateway of this notebook: its address, or a service started for it."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

from gateway.client.session import Lent, Session
from gateway.errors import SettingsError, StoreError

_PROXY = "jupyter_server_proxy"
_PREFIX = "JUPYTERHUB_SERVICE_PREFIX"
"""Set by a hub: the path under which it reaches this notebook's server."""


def browser_root(session: Session, lent: Lent) -> str:
    """Return what leads the addresses of what was lent, with a slash at its end.

    It is a path, without a host, where the browser comes through the notebook's own server.

    Raises:
        SettingsError: The web service is not installed, or cannot start.
    """
    if lent.url is not None:
        return lent.url
    if session.home is None:
        raise StoreError(f"{session!r} did not say where a browser finds it; ask who runs it")
    return f"{_here(_SERVICES.port(session.home))}{lent.path}"


def _here(port: int) -> str:
    """Return the address of a port of this machine, as the browser of this notebook reaches it."""
    prefix = os.environ.get(_PREFIX)
    if prefix is None:
        return f"http://127.0.0.1:{port}"
    if importlib.util.find_spec(_PROXY) is None:
        raise SettingsError(
            "a browser reaches this notebook through a hub, and a home on the hub's machine only "
            "with jupyter-server-proxy: `pip install jupyter-server-proxy` beside JupyterLab, or "
            "work with a gateway at a URL, nb.use(gateway.connect(URL, TOKEN))"
        )
    return f"{prefix.rstrip('/')}/proxy/{port}"


@dataclass
class _Services:
    """The web services of this kernel, one a home; each ends with the kernel."""

    running: dict[Path, tuple["subprocess.Popen[str]", int]] = field(default_factory=dict)

    def port(self, home: Path) -> int:
        """Return the port of the service of a home, started on first use."""
        process, port = self.running.get(home, (None, 0))
        if process is None or process.poll() is not None:
            self.running[home] = process, port = _start(home)
        return port


_SERVICES = _Services()


def _start(home: Path) -> tuple["subprocess.Popen[str]", int]:
    """Start `gateway serve`, tied to this process by a pipe: it ends when this one does."""
    if importlib.util.find_spec("uvicorn") is None:
        raise SettingsError(
            "the viewer needs the web service; add it with `pip install 'brain-gateway[notebook]'`"
        )
    chosen = {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": "0", "GATEWAY_WEB_WORKERS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.web", "--json", "--tied"],
        env={**os.environ, **chosen, "GATEWAY_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    output = cast("TextIO", process.stdout)
    said = output.readline()
    try:
        listening = json.loads(said)["listening"]
    except (ValueError, KeyError):
        said += output.read()
        with process:  # closes its pipes and waits for its end
            raise SettingsError(_reason(said, home)) from None
    return process, int(listening.rpartition(":")[2])


def _reason(said: str, home: Path) -> str:
    try:
        why = str(json.loads(said)["error"]["message"])
    except (ValueError, KeyError):
        why = f"run `gateway serve --home {home}` to see why"
    return f"the web service that shows volumes did not start: {why}"
