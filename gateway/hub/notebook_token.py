"""Gives each notebook server the address of the gateway and a token of its person, until it stops.

Programs find them as GATEWAY_URL and GATEWAY_TOKEN.
"""

import asyncio
from typing import Any

from gateway.hub.facts import Facts
from gateway.service.access.hub_asking import Standing, standing_of
from gateway.service.access.login import admit_from_hub
from gateway.service.access.sessions import TOKEN_LIFE, end_notebook, open_session
from gateway.service.gateway import Gateway

URL, TOKEN = "GATEWAY_URL", "GATEWAY_TOKEN"


class NotebookToken:
    """Makes the token before the start and ends it after the stop."""

    def __init__(self, gateway: Gateway, facts: Facts) -> None:
        """Make tokens of a gateway."""
        self._gateway = gateway
        self._url = facts.web_url

    async def before_start(self, spawner: Any) -> None:
        """Put address and token into the environment of the server.

        Raises:
            SignInError: The person signs in in another way here.
        """
        user = spawner.user
        groups = [group.name for group in user.orm_user.groups]
        standing = standing_of(groups, administrator=bool(user.admin))
        token = await asyncio.to_thread(self._make, user.name, server_name(spawner), standing)
        spawner.environment = {**spawner.environment, URL: self._url, TOKEN: token}

    async def after_stop(self, spawner: Any) -> None:
        """End the token."""
        name = server_name(spawner)
        await asyncio.to_thread(end_notebook, self._gateway, spawner.user.name, name)

    def _make(self, person: str, server: str, standing: Standing) -> str:
        admit_from_hub(self._gateway, person, standing)
        end_notebook(self._gateway, person, server)
        return open_session(self._gateway, person, kind="notebook", note=server, life=TOKEN_LIFE)


def server_name(spawner: Any) -> str:
    """Return how a server is called in the list of sessions."""
    return f"notebook server {spawner.name}" if spawner.name else "notebook server"
