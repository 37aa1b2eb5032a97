"""Finds the container engine and asks it something; whether one is there is never certain."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_LOG = logging.getLogger("gateway.containers")
_PATIENCE_S = 10
_USUAL = "unix:///var/run/docker.sock"
_UNIX = "unix://"
AnswerT = TypeVar("AnswerT")


def engine_address(named: str | None) -> str:
    """Return where the engine is: as the setting `docker_host` names it, or `DOCKER_HOST`.

    Args:
        named: What the setting says; None takes the environment's, or the usual socket.
    """
    return named or os.environ.get("DOCKER_HOST") or _USUAL


def require_socket(address: str) -> None:
    """Refuse an address whose socket is not there; the Docker SDK would leave one open.

    Raises:
        FileNotFoundError: It is not there.
    """
    if address.startswith(_UNIX) and not Path(address.removeprefix(_UNIX)).exists():
        raise FileNotFoundError(f"there is no socket {address}")


def ask_engine(named: str | None, question: Callable[[Any], AnswerT]) -> AnswerT | None:
    """Return what a client of the engine answers; None, with a line in the log, where none does.

    Args:
        named: As `engine_address` takes it.
        question: Called with a client of the Docker SDK.
    """
    try:
        import docker  # noqa: PLC0415 - an extra, and only where containers are used
        import requests  # noqa: PLC0415 - likewise
    except ImportError as error:
        _LOG.warning("no container engine can be asked: %s", error)
        return None
    try:
        where = {**docker.utils.kwargs_from_env(), "base_url": engine_address(named)}
        require_socket(where["base_url"])
        client = docker.DockerClient(timeout=_PATIENCE_S, **where)
        try:
            return question(client)
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        _LOG.warning("no container engine answers: %s", str(error))
        return None
