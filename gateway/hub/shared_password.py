"""Signs people in by a name and a password that all of them share."""

import asyncio
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from tornado.web import HTTPError
from traitlets import Unicode

from gateway.errors import LimitError
from gateway.hub.passwords import is_right, read_hashes
from gateway.service.access.attempts import forgive, reserve
from gateway.service.access.people import is_name
from gateway.service.gateway import Gateway, open_gateway

_TOO_MANY = 429
_LONGEST = 500


class SharedPasswordAuthenticator(Authenticator):  # type: ignore[misc]  # publishes no types
    """Asks administrators for their password, and everybody else for the one that is shared.

    Who knows the shared one may take any name but an administrator's, so it is for people who
    trust one another. Wrong ones are counted, by name and by address, together with those of the
    web service.
    """

    home = Unicode("", help="The home of the gateway, where the hashes are.").tag(config=True)

    def __init__(self, **given: Any) -> None:
        """Open the gateway in whose database attempts are counted."""
        super().__init__(**given)
        self._gateway: Gateway = open_gateway(Path(self.home))
        self._hashes = read_hashes(Path(self.home))

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """Return who it is, or None for a wrong password."""
        name = self.normalize_username(data.get("username", "")[:_LONGEST])
        given = data.get("password", "")[:_LONGEST]
        address = handler.request.remote_ip or ""
        try:
            reserved = await asyncio.to_thread(reserve, self._gateway, name, address)
        except LimitError as error:
            raise HTTPError(_TOO_MANY, str(error)) from error
        administers = name in self.admin_users
        kept = self._hashes.administrators if administers else self._hashes.people
        if not await asyncio.to_thread(is_right, kept, given) or not is_name(name):
            return None
        await asyncio.to_thread(forgive, self._gateway, reserved)
        return {"name": name, "admin": administers}
