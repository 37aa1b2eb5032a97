"""The gateway that this notebook works with."""

import os

from gateway.client.connect import connect
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
        url, token = os.environ.get("GATEWAY_URL"), os.environ.get("GATEWAY_TOKEN")
        data = os.environ.get("GATEWAY_DATA") if url else None
        _chosen.append(connect(url, token, data=data))
    return _chosen[0]
