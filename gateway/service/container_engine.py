"""Asks the container engine of this machine something; whether one is there is never certain."""

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


def ask_engine(question: Callable[[Any], AnswerT]) -> AnswerT | None:
    """Return what a client of the engine answers; None, with a line in the log, where none does.

    The engine is the one that `DOCKER_HOST` names, else the usual one.

    Args:
        question: Called with a client of the Docker SDK.
    """
    try:
        import docker  # noqa: PLC0415 - an extra, and only where containers are used
        import requests  # noqa: PLC0415 - likewise
    except ImportError as error:
        _LOG.warning("no container engine can be asked: %s", error)
        return None
    host = os.environ.get("DOCKER_HOST", _USUAL)
    if host.startswith(_UNIX) and not Path(host.removeprefix(_UNIX)).exists():
        _LOG.warning("no container engine answers: there is no socket %s", host)
        return None
    try:
        client = docker.from_env(timeout=_PATIENCE_S)
        try:
            return question(client)
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        _LOG.warning("the container engine does not answer: %s", str(error))
        return None
