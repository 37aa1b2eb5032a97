"""All that the configuration of a hub is computed from: read once, then passed."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from gateway.hub.places import Ports, Secrets, read_ports, read_secrets
from gateway.service.access.hub import SERVICE
from gateway.service.access.login import account_name
from gateway.service.settings import Settings, read_settings

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - servers on other machines must reach us
_ANY = frozenset({_EVERYWHERE, "::", ""})
_PASSED = ("GATEWAY_", "DOCKER_", "AWS_", "NUMBA_")
"""What begins so is passed on: settings, where the container engine and buckets are, and where
compiled kernels lie. JupyterHub passes on next to nothing to what runs behind it."""
_OURS = ("GATEWAY_HUB_API_URL", "GATEWAY_HUB_API_TOKEN", "GATEWAY_HUB_URL")
_WAY_OUT = frozenset(
    {
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "XDG_CACHE_HOME",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the machine has to share out."""

    cores: int
    memory: int
    devices: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One gateway with a hub before it."""

    home: Path
    settings: Settings
    ports: Ports
    secrets: Secrets
    owner: str
    """Who started the gateway: they administer it."""
    resources: Resources
    inner_host: str = "127.0.0.1"
    """Where notebook servers reach the hub and the gateway."""
    listen: str = "127.0.0.1"
    """Address on which the hub and the web service listen for them."""
    given: Mapping[str, str] = field(default_factory=dict)
    """What the environment says that the processes behind the hub need too."""
    way_out: Mapping[str, str] = field(default_factory=dict)
    """How installers reach package indexes from here: proxies, certificates, where they cache."""

    @property
    def front(self) -> str:
        """What people type, without a slash at the end."""
        if self.settings.base_url is not None:
            return self.settings.base_url
        host = socket.gethostname() if self.settings.host in _ANY else self.settings.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.settings.hub_port}"

    @property
    def base(self) -> str:
        """The path that everything lies under, with a slash at both ends."""
        return f"{urlsplit(self.front).path}/"

    @property
    def hub_url(self) -> str:
        """The path of the hub's pages."""
        return f"{self.base}hub/"

    @property
    def api_url(self) -> str:
        """The hub's API as seen by the parts behind the public port."""
        return f"http://{self.inner_host}:{self.ports.hub}{self.base}hub/api"

    @property
    def web_url(self) -> str:
        """The web service as seen by notebook servers."""
        return f"http://{self.inner_host}:{self.ports.web}{self.base}services/{SERVICE}"


def read_facts(home: Path, *, inner_host: str = "127.0.0.1", everywhere: bool = False) -> Facts:
    """Read the facts of a home; what is missing of ports and secrets is made.

    Raises:
        SettingsError: A setting is wrong, or the home cannot be written.
    """
    settings = read_settings(home)
    return Facts(
        home=home,
        settings=settings,
        ports=read_ports(home),
        secrets=read_secrets(home),
        owner=account_name(),
        resources=measure(settings),
        inner_host=inner_host,
        listen=_EVERYWHERE if everywhere else inner_host,
        given={
            name: value
            for name, value in os.environ.items()
            if name.startswith(_PASSED) and name not in _OURS
        },
        way_out={name: value for name, value in os.environ.items() if _leads_out(name)},
    )


def _leads_out(name: str) -> bool:
    return name.upper() in _WAY_OUT or name.startswith(("PIP_", "UV_"))


def measure(settings: Settings) -> Resources:
    """Look at what this machine has; devices are those of the settings."""
    return Resources(
        cores=psutil.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        devices=len(settings.devices),
    )
