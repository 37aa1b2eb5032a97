"""Becomes the web service or the hub, faces of their own that this one does not know."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from gateway.errors import SettingsError


def can_serve() -> bool:
    """Whether the web service is installed."""
    return importlib.util.find_spec("uvicorn") is not None


def take_over(
    home: Path, given: Mapping[str, object], *, as_json: bool = False, browse: bool = False
) -> NoReturn:
    """Become the web service of a home.

    Args:
        home: The home.
        given: Settings that differ from the home's; None leaves one as it is.
        as_json: Whether to answer with one JSON object.
        browse: Whether to open a browser.

    Raises:
        SettingsError: The web service is not installed.
    """
    if not can_serve():
        raise SettingsError(
            "the web service is not installed; add it with `pip install brain-gateway[web]`"
        )
    flags = [*(["--json"] if as_json else []), *(["--open"] if browse else [])]
    _become("gateway.web", home, given, flags)


def take_over_as_hub(
    home: Path, given: Mapping[str, object], *, as_json: bool = False, new_passwords: bool = False
) -> NoReturn:
    """Become the hub before the gateway of a home.

    Args:
        home: The home.
        given: Settings that differ from the home's; None leaves one as it is.
        as_json: Whether to answer with one JSON object.
        new_passwords: Whether to make new shared passwords.

    Raises:
        SettingsError: The hub is not installed.
    """
    if not (can_serve() and importlib.util.find_spec("jupyterhub") is not None):
        raise SettingsError(
            "JupyterHub is not installed; `pip install 'brain-gateway[hub]'` adds it"
        )
    flags = [*(["--json"] if as_json else []), *(["--new-passwords"] if new_passwords else [])]
    _become("gateway.hub", home, given, flags)


def _become(module: str, home: Path, given: Mapping[str, object], flags: list[str]) -> NoReturn:
    chosen = {f"GATEWAY_{k.upper()}": str(v) for k, v in given.items() if v is not None}
    environment = {**os.environ, **chosen, "GATEWAY_HOME": str(home)}
    words = [sys.executable, "-m", module, *flags]
    # A face of its own, which this one does not know: it takes over the process.
    os.execve(sys.executable, words, environment)  # noqa: S606 - as above
