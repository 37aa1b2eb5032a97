"""Brain Gateway: one place where a lab works on the same chunked brain volumes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.client.session import Session

__version__ = "0.1.0"


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    home: "str | Path | None" = None,
    data: "str | Path | None" = None,
) -> "Session":
    """Open a gateway: `gateway.connect("https://brains.example.org", token="…")`.

    Args:
        url: Its address, or a share link, which needs no token. None opens a home of this machine.
        token: A token of yours, made under *Account* in the browser.
        home: The home, where no URL is given; None takes the one `GATEWAY_HOME` names.
        data: Folder in which files of the gateway at the URL are shown too, as a hub does.

    Raises:
        GatewayError: The address, the token or the home is none.
    """
    # the package itself loads nothing, so that a command starts at once
    from gateway.client.connect import connect as open_session  # noqa: PLC0415 - as above

    return open_session(url, token, home=home, data=data)
