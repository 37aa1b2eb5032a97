"""The configuration of a hub: a pure function of its facts."""

import sys
from pathlib import Path
from typing import Any

from gateway.hub.facts import Facts
from gateway.hub.places import cookie_secret_file, database_url, hub_folder
from gateway.hub.profile_form import draw_form
from gateway.hub.profiles import offer, options_from_form
from gateway.hub.services import services_config
from gateway.hub.sign_in import more_templates, only_owner, sign_in_config
from gateway.hub.spawners import Config, SpawnerKind

TEMPLATES = Path(__file__).with_name("templates")


def hub_config(facts: Facts, kind: SpawnerKind, *, proxy: list[str]) -> Config:
    """Return class name to trait to value: all that JupyterHub is told.

    Args:
        facts: What the gateway is.
        kind: Where notebook servers start.
        proxy: The command of the proxy.

    Raises:
        SettingsError: A setting that the choices need is missing.
    """
    parts = (
        _hub(facts, kind),
        _proxy(facts, proxy),
        _servers(facts, kind),
        sign_in_config(facts, kind),
        services_config(facts),
        kind.configure(facts),
    )
    merged: Config = {}
    for part in parts:
        for name, values in part.items():
            merged.setdefault(name, {}).update(values)
    return merged


def _hub(facts: Facts, kind: SpawnerKind) -> Config:
    settings = facts.settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    values: dict[str, Any] = {
        "bind_url": f"http://{host}:{settings.hub_port}{facts.base}",
        "hub_ip": facts.listen,
        "hub_port": facts.ports.hub,
        "hub_connect_ip": facts.inner_host,
        "db_url": database_url(facts.home),
        "cookie_secret_file": str(cookie_secret_file(facts.home)),
        "spawner_class": kind.spawner,
        "default_url": f"{facts.hub_url}home",
        "template_paths": [str(TEMPLATES), *more_templates(settings)],
        "template_vars": {
            "gateway_url": f"{facts.base}services/gateway/login?next=/",
            "gateway_note": _note(facts, kind),
        },
        "allow_named_servers": settings.hub_servers_per_person > 0,
        "named_server_limit_per_user": settings.hub_servers_per_person,
        "cleanup_servers": not kind.outlive,
        "shutdown_on_logout": False,
        "show_config": False,
    }
    if settings.base_url is not None:
        values["public_url"] = f"{facts.front}/"
    return {"JupyterHub": values}


def _note(facts: Facts, kind: SpawnerKind) -> str:
    """Return what people must know of where their servers run."""
    if kind.isolates:
        return ""
    said = f"Notebook servers here are {kind.title}, which all run under one account"
    if only_owner(facts, kind):
        return f"{said}, so only {facts.owner} may sign in."
    return f"{said}: everybody who has one can read what the others have."


def _proxy(facts: Facts, command: list[str]) -> Config:
    values: dict[str, Any] = {
        "command": command,
        "api_url": f"http://127.0.0.1:{facts.ports.proxy}",
        "auth_token": facts.secrets.proxy,
        "pid_file": str(hub_folder(facts.home) / "proxy.pid"),
    }
    return {"ConfigurableHTTPProxy": values}


def _servers(facts: Facts, kind: SpawnerKind) -> Config:
    values: dict[str, Any] = {
        "default_url": "/lab",
        "start_timeout": facts.settings.hub_start_seconds,
        "http_timeout": facts.settings.hub_start_seconds,
        "options_form": draw_form(offer(facts, kind)),
        "options_from_form": options_from_form,
        "cmd": [sys.executable, "-m", "jupyterhub.singleuser"],
    }
    return {"Spawner": values}
