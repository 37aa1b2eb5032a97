"""Hands the configuration over to JupyterHub: called by a configuration file with its `c`."""

import sys
from pathlib import Path
from typing import Any

from gateway.hub.config import hub_config
from gateway.hub.facts import read_facts
from gateway.hub.hooks import after_stop, before_start, explain, make_hooks
from gateway.hub.profiles import Offer, choose, offer
from gateway.hub.programs import find_proxy
from gateway.hub.spawners import SpawnerKind, choose_kind
from gateway.service.gateway import open_gateway
from gateway.service.settings import find_home, read_settings


def configure(config: Any, home: Path | None = None) -> None:
    """Set all that a hub of a gateway needs to know.

    Args:
        config: What `get_config()` returns in a configuration file of JupyterHub.
        home: The home; None takes the one `GATEWAY_HOME` names.

    Raises:
        SettingsError: A setting is wrong or missing.
    """
    path = find_home(home)
    settings = read_settings(path)
    kind = choose_kind(settings, say=print)
    meeting = kind.meet(settings)
    facts = read_facts(path, inner_host=meeting.address, everywhere=kind.elsewhere)
    warning = meeting.close([facts.ports.hub, facts.ports.web])
    if warning is not None:
        print(warning, file=sys.stderr)  # noqa: T201 - the hub's log
    for name, values in hub_config(facts, kind, proxy=find_proxy(settings)).items():
        for trait, value in values.items():
            setattr(config[name], trait, value)
    hooks = make_hooks(open_gateway(path), facts, kind)
    config.Spawner.pre_spawn_hook = before_start(hooks)
    config.Spawner.post_stop_hook = after_stop(hooks)
    config.Spawner.apply_user_options = _applying(offer(facts, kind), kind)
    if settings.hub_extra_config is not None:
        _read_more(config, Path(settings.hub_extra_config))


def _applying(offered: Offer, kind: SpawnerKind) -> Any:
    """Return what gives a server what was chosen for it."""

    def apply(spawner: Any, options: dict[str, Any]) -> None:
        try:
            profile = choose(offered, options)
        except ValueError as error:
            explain(error)
            raise
        kind.give(spawner, profile)

    return apply


def _read_more(config: Any, path: Path) -> None:
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    exec(code, {"c": config, "get_config": lambda: config})  # noqa: S102 - the administrator's file
