"""What runs behind the hub: the web service, the culler, and whatever else is plugged in.

To plug one in, write a function that returns a `Behind` for the facts, or None where it is not
wanted, and add it to `_BEHIND`. The hub starts its command, restarts it when it dies, puts its
address under `/services/NAME/`, and lets people who are signed in come to it by OAuth2.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.hub.facts import Facts
from gateway.hub.spawners import Config
from gateway.service.access.hub import SERVICE

_CULL_EVERY_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A service behind the hub."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    """Its secret at the hub, and as an OAuth2 client `service-NAME`; None lets the hub make one and
    hand it over as JUPYTERHUB_API_TOKEN."""
    url: str | None = None
    """Where it listens; None for one without pages."""
    back: str | None = None
    """Path at which OAuth2 comes back to it, where it has pages."""
    scopes: Sequence[str] = ()
    """What it may ask of the hub's API."""
    patience_s: int = 120
    """How long it may take to answer."""


def services_config(facts: Facts) -> Config:
    """Return the values that make the services run."""
    services = [service for make in _BEHIND if (service := make(facts)) is not None]
    open_to_all = [f"access:services!service={s.name}" for s in services if s.url]
    roles: list[dict[str, Any]] = [{"name": "user", "scopes": ["self", *open_to_all]}]
    roles += [
        {"name": f"service-{s.name}", "services": [s.name], "scopes": list(s.scopes)}
        for s in services
        if s.scopes
    ]
    shown = [_values(service) for service in services]
    return {"JupyterHub": {"services": shown, "load_roles": roles}}


def _values(service: Behind) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": service.name,
        "command": list(service.command),
        "environment": dict(service.environment),
        "timeout": service.patience_s,
        "display": False,  # our own pages lead there
    }
    if service.token is not None:
        values["api_token"] = service.token
    if service.url is not None:
        values |= {"url": service.url, "oauth_no_confirm": True}
        values["oauth_redirect_uri"] = service.back
    return values


def _web(facts: Facts) -> Behind:
    """Return the web service: catalogue, viewer, tools, API."""
    settings, prefix = facts.settings, f"{facts.base}services/{SERVICE}"
    proxies = sorted({*settings.trusted_proxies, facts.inner_host})
    environment = {
        **facts.given,
        "GATEWAY_HOME": str(facts.home),
        "GATEWAY_HOST": facts.listen,
        "GATEWAY_PORT": str(facts.ports.web),
        "GATEWAY_BASE_URL": f"{facts.front}/services/{SERVICE}",
        "GATEWAY_TRUSTED_PROXIES": json.dumps(proxies),
        "GATEWAY_HUB_API_URL": facts.api_url,
        "GATEWAY_HUB_API_TOKEN": facts.secrets.web,
        "GATEWAY_HUB_URL": facts.hub_url,
    }
    return Behind(
        name=SERVICE,
        command=[sys.executable, "-m", "gateway.web"],
        environment=environment,
        token=facts.secrets.web,
        url=f"http://{facts.inner_host}:{facts.ports.web}",
        back=f"{prefix}/login/back/hub",
        scopes=["read:users:name", "read:users:groups", "read:roles:users", "read:tokens"],
    )


def _galaxy(facts: Facts) -> Behind | None:
    """Return the sign-in before Galaxy, which starts and stops Galaxy itself."""
    if not facts.settings.galaxy:
        return None
    environment = {
        **facts.way_out,  # the first start installs Galaxy
        **facts.given,
        "GATEWAY_HOME": str(facts.home),
        "GATEWAY_BASE_URL": f"{facts.front}/services/{SERVICE}",
    }
    return Behind(
        name="galaxy",
        command=[sys.executable, "-m", "gateway.galaxy.front"],
        environment=environment,
        token=facts.secrets.galaxy,
        url=f"http://127.0.0.1:{facts.ports.galaxy}",
        back=f"{facts.base}services/galaxy/oauth_callback",
        scopes=["read:users:name", "read:roles:users"],
    )


def _culler(facts: Facts) -> Behind | None:
    """Return what stops notebook servers that nobody uses."""
    if not facts.settings.hub_idle_minutes:
        return None
    seconds = max(1, round(facts.settings.hub_idle_minutes * 60))
    command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={seconds}"]
    every = max(1, min(_CULL_EVERY_S, seconds // 2))
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    return Behind(name="cull", command=[*command, f"--cull-every={every}"], scopes=scopes)


_BEHIND: Sequence[Callable[[Facts], Behind | None]] = (_web, _galaxy, _culler)
