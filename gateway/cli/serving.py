"""Becomes the web service, which is a face of its own that this one does not know."""

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
    chosen = {f"GATEWAY_{k.upper()}": str(v) for k, v in given.items() if v is not None}
    environment = {**os.environ, **chosen, "GATEWAY_HOME": str(home)}
    flags = [*(["--json"] if as_json else []), *(["--open"] if browse else [])]
    words = [sys.executable, "-m", "gateway.web", *flags]
    # The web is a face of its own, which this one does not know: it takes over the process.
    os.execve(sys.executable, words, environment)  # noqa: S606 - as above
