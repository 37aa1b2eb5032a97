"""Finds the programs that a hub needs beside Python: the proxy, and Node.js to run it."""

import shutil
import sys
from pathlib import Path

from gateway.errors import SettingsError
from gateway.service.settings import Settings

PROXY = "configurable-http-proxy"
NPM_FOLDER = "npm"
"""Where `make install` puts it, inside the environment."""


def find_proxy(settings: Settings) -> list[str]:
    """Return the command of the proxy.

    Raises:
        SettingsError: It is not installed, or Node.js is not.
    """
    beside = Path(sys.prefix) / NPM_FOLDER / "node_modules" / ".bin" / PROXY
    named = settings.hub_proxy
    found = shutil.which(named) or (str(beside) if named == PROXY and beside.exists() else None)
    if shutil.which("node") is None:
        raise SettingsError(
            "Node.js is not installed, and the proxy of the hub needs it: install it (on Debian: "
            f"apt-get install nodejs npm), then {install_command()}"
        )
    if found is None:
        raise SettingsError(
            f"the hub's proxy {named!r} is not installed; get it by {install_command()}, or name "
            "it with the setting hub_proxy"
        )
    return [found]


def install_command() -> str:
    """Return the line that installs the proxy where it is found."""
    folder = Path(sys.prefix) / NPM_FOLDER
    return f"`npm install --prefix {folder} {PROXY}@5` (@4 where Node.js is older than 20)"
