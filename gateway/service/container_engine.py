"""Finds the container engine and asks it something; whether one is there is never certain."""

import logging
import os
from collections.abc import Callable
from contextlib import closing
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


def engine_place(named: str | None) -> dict[str, Any]:
    """Return the address and the keys of the engine, as clients of the Docker SDK take them.

    Args:
        named: As `engine_address` takes it.
    """
    from docker.utils import kwargs_from_env  # noqa: PLC0415 - an extra

    return {**kwargs_from_env(), "base_url": engine_address(named)}


def connect_engine(named: str | None, patience_s: float = _PATIENCE_S) -> Any:
    """Return a client of the Docker SDK; close it in the end.

    Args:
        named: As `engine_address` takes it.
        patience_s: How long each answer may take.

    Raises:
        ImportError: The Docker SDK is not installed.
        DockerException: No engine answers.
        FileNotFoundError: Its socket is not there; the SDK would leave one open.
    """
    from docker import DockerClient  # noqa: PLC0415 - an extra

    where = engine_place(named)
    address = where["base_url"]
    if address.startswith(_UNIX) and not Path(address.removeprefix(_UNIX)).exists():
        raise FileNotFoundError(f"there is no socket {address}")
    return DockerClient(timeout=patience_s, **where)


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
        with closing(connect_engine(named)) as client:
            return question(client)
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        _LOG.warning("no container engine answers: %s", str(error))
        return None
