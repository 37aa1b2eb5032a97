"""The port of identity providers: who somebody is, said by accounts here or by a trusted server."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.errors import SignInError


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a provider says somebody is."""

    name: str
    display: str = ""
    groups: frozenset[str] | None = None
    """Their groups; None where the provider does not know any."""
    administrator: bool | None = None
    """Whether they administer the gateway; None where the provider does not say."""
    sign_in: str | None = None
    """The provider's own number of this sign-in, where it tells whether that still holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a sign-in begins."""

    url: str
    """Where the browser goes, or an empty text where it stays and is asked for `fields`."""
    remember: dict[str, str] = field(default_factory=dict)
    """What must come back unchanged with the answer, from the same browser and none else."""


class IdentityProvider(Protocol):
    """Says who somebody is; whether that person may come in is decided elsewhere."""

    @property
    def name(self) -> str:
        """Its name, as people are marked with: `local`, `oauth2`, `hub`."""

    @property
    def label(self) -> str:
        """What the button on the sign-in page says."""

    @property
    def fields(self) -> tuple[str, ...]:
        """What the sign-in page asks for; empty where the provider asks on a page of its own."""

    def start(self, back: str) -> Start:
        """Begin a sign-in that comes back to the URL `back`."""

    def finish(
        self, answer: Mapping[str, str], remembered: Mapping[str, str], back: str
    ) -> Identity:
        """Return who it is, from the fields of the form or of the URL that came back.

        Raises:
            SignInError: The provider does not say so.
        """


def require_same_browser(answer: Mapping[str, str], remembered: Mapping[str, str]) -> None:
    """Refuse an answer to a sign-in that another browser began: its state is not this one's.

    Raises:
        SignInError: It belongs to no sign-in of this browser.
    """
    state = remembered.get("state", "")
    if not state or not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise SignInError("this sign-in was not begun in this browser; begin it again")
