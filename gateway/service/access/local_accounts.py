"""The identity provider of accounts that are kept here: a name and a password."""

from collections.abc import Mapping

from gateway.service.access.passwords import check_password
from gateway.service.access.people import is_name
from gateway.service.access.providers import Identity, Start
from gateway.service.gateway import Gateway


class LocalAccounts:
    """Says who somebody is by name and password."""

    name = "local"
    label = "Sign in"
    fields = ("name", "password")

    def __init__(self, gateway: Gateway) -> None:
        """Use the accounts of a gateway."""
        self._gateway = gateway

    def start(self, back: str) -> Start:
        """Let the browser stay: the form is ours."""
        del back
        return Start(url="")

    def finish(
        self, answer: Mapping[str, str], remembered: Mapping[str, str], back: str
    ) -> Identity:
        """Return whose name and password it is.

        Raises:
            SignInError: Nobody's.
        """
        del remembered, back
        name = answer.get("name", "").strip()
        # what nobody can be called is answered as what nobody is called
        known = name if is_name(name) else ""
        person = check_password(self._gateway, known, answer.get("password", ""))
        return Identity(name=person)
