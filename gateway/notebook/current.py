"""The gateway that this notebook works with."""

import os

from gateway.client.connect import connect_as_told
from gateway.client.session import Session

_chosen: list[Session] = []


def choose(session: Session | None) -> None:
    """Work with a session from now on; None goes back to what the environment says."""
    _chosen[:] = [] if session is None else [session]


def session() -> Session:
    """Return the session of this notebook, opened on first use.

    Raises:
        SettingsError: None was chosen, and no variable of the environment names a gateway.
    """
    if not _chosen:
        _chosen.append(connect_as_told(os.environ))
    return _chosen[0]
