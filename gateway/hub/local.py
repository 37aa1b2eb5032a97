"""Notebook servers as processes of this machine, where there is no container engine.

They run under the account of the gateway: whoever has one can read all that the gateway can.
"""

import os
import sys

from gateway.hub.facts import Facts
from gateway.hub.places import people_folder
from gateway.hub.spawners import Config, Meeting, SpawnerKind
from gateway.service.settings import Settings

SPAWNER = "gateway.hub.local_spawner.GatewayLocalSpawner"


def configure(facts: Facts) -> Config:
    """Return how a local server starts."""
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    return {
        "GatewayLocalSpawner": {
            "cmd": [sys.executable, "-m", "jupyterhub.singleuser"],
            "args": as_root,
            "home_dir_template": f"{people_folder(facts.home)}/{{username}}",
        }
    }


KIND = SpawnerKind(
    name="local",
    spawner=SPAWNER,
    title="local processes of this machine",
    isolates=False,
    outlive=False,
    sized=False,
    lack=lambda _: None,
    meet=lambda _: Meeting(address="127.0.0.1"),
    configure=configure,
)


def may_others_sign_in(settings: Settings) -> bool:
    """Tell whether more than one person may have local servers."""
    return settings.hub_people_trust_one_another
