"""What the commands about access share: who acts, where the service is, how lives are given."""

import importlib.util

from gateway.errors import SettingsError

if importlib.util.find_spec("argon2") is None or importlib.util.find_spec("itsdangerous") is None:
    raise SettingsError(
        "people, links and tokens come with the web service; add it with "
        "`pip install 'brain-gateway[web]'`"
    )

from gateway.service.access.actor import Actor
from gateway.service.access.login import account_name
from gateway.service.gateway import Gateway


def administrator() -> Actor:
    """Return who types: whoever can open the home of a gateway is its administrator."""
    return Actor(person=account_name(), administrator=True, address="command line")


def site(gateway: Gateway) -> str:
    """Return where the web service is reached, by its settings."""
    settings = gateway.settings
    if settings.base_url is not None:
        return settings.base_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
