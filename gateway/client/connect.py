"""The way in: a gateway at a URL, or the one of a home of this machine."""

from collections.abc import Mapping
from pathlib import Path

from gateway.client.local import LocalSession
from gateway.client.remote import RemoteSession
from gateway.client.session import Session
from gateway.errors import CallError


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    home: str | Path | None = None,
    data: str | Path | None = None,
) -> Session:
    """Open a gateway.

    Args:
        url: Its address, `https://brains.example.org`, or a share link, which needs no token.
            None opens a home of this machine, in this process.
        token: A token of yours, made under *Account* in the browser.
        home: The home, where no URL is given; None takes the one `GATEWAY_HOME` names.
        data: Folder in which files of the gateway at the URL lie too, `DATASET/NAME.ome.zarr`, as
            a hub shows them to its containers: voxels that lie there do not come over HTTP.

    Raises:
        CallError: Both a URL and a home are given, or a token without a URL.
        RefError: The URL is no address of a gateway.
        SettingsError: There is no such home.
    """
    if url is None:
        if token is not None:
            raise CallError("a token is for a gateway at a URL; give url=, or leave token out")
        return LocalSession(None if home is None else Path(home))
    if home is not None:
        raise CallError("give the url of a gateway or the home of one, not both")
    return RemoteSession(url, token, None if data is None else Path(data))


def connect_as_told(environment: Mapping[str, str]) -> Session:
    """Open the gateway that an environment names, as a hub tells its notebooks; else a home.

    Args:
        environment: With `GATEWAY_URL`, `GATEWAY_TOKEN` and `GATEWAY_DATA`.

    Raises:
        SettingsError: It names neither a gateway nor a home.
    """
    url = environment.get("GATEWAY_URL")
    data = environment.get("GATEWAY_DATA") if url else None
    return connect(url, environment.get("GATEWAY_TOKEN"), data=data)
