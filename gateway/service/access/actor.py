"""Who asks: a person, a share link, or nobody."""

from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What somebody may do with a dataset; each role includes those before it."""

    NONE = 0
    VIEWER = 1
    """See everything in it."""
    ANNOTATOR = 2
    """Also make and change annotations."""
    EDITOR = 3
    """Also run tools into it, ingest, and change its description."""
    OWNER = 4
    """Also share it and give roles to others."""

    @property
    def label(self) -> str:
        """The name in lower case, as it is stored and shown."""
        return self.name.lower()


def parse_role(text: str) -> Role:
    """Return the role of a name.

    Raises:
        ValueError: There is no such role; lists those there are.
    """
    try:
        return Role[text.upper()]
    except KeyError:
        names = ", ".join(role.label for role in Role if role)
        raise ValueError(f"there is no role {text!r}; expected one of {names}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks for something; every face makes one and hands it to `gateway.service`."""

    person: str | None = None
    """Name of the person, None for a share link and for nobody."""
    groups: frozenset[str] = frozenset()
    administrator: bool = False
    notebook: bool = False
    """Whether the token of a notebook server asks: it sees what its person sees, and administers
    nothing."""
    link: str | None = None
    """Id of the share link."""
    link_dataset: str | None = None
    link_entry: str | None = None
    """The one entry the link opens; None opens the dataset."""
    link_role: Role = Role.NONE
    until: float | None = None
    """When the session or link expires, in seconds since 1970: what was decided holds no longer."""
    address: str = field(default="", compare=False)
    """Where the request came from, for the audit log."""

    @property
    def name(self) -> str:
        """How records and the audit log name the actor."""
        if self.person is not None:
            return self.person
        return f"link:{self.link}" if self.link else "nobody"


NOBODY = Actor()
"""Somebody who has not signed in."""
