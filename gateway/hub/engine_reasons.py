"""Why a container did not start, in words that say what to do; the engine's own are kept."""

import re
from typing import Any

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from gateway.errors import GatewayError

_LONGEST = 600
_ADVICE = {
    r"no such image": "the image is not on this machine; an administrator builds it with "
    "`make images`, or names another",
    r"pull access denied|manifest unknown|repository .* not found": "the image is found nowhere; "
    "an administrator checks its name",
    r"name .* is already in use": "another container has its name; an administrator removes or "
    "renames that one",
    r"unresolvable cdi devices|failed to inject devices|could not select device driver": "the "
    "engine knows no such GPU; an administrator compares the setting devices with the CDI files "
    "of the engine",
    r"network .* not found": "the network of the containers is gone; an administrator restarts "
    "the gateway, which makes it again",
    r"memory limit|minimum memory": "the memory asked for is not possible; choose another size",
    r"executable file not found": "the image is none for notebooks; choose another",
    r"no space left": "the disk of the engine is full; an administrator makes room",
    r"invalid mount config|bind source path does not exist": "data that were to be shown have "
    "just been moved; try again",
    r"permission denied|connection refused|connection aborted|no such file|timed out": "the "
    "container engine does not answer; an administrator starts it, and checks that the account of "
    "the gateway may use it",
}
"""What the engine says, as a pattern, and what that means; the first that fits counts."""


class ServerStartError(GatewayError):
    """A notebook server did not start; the page of the hub shows the message."""

    @property
    def jupyterhub_message(self) -> str:
        """What the hub's page shows."""
        return str(self)


def explain_start(error: BaseException, image: str) -> ServerStartError:
    """Return the error that says why a container did not start.

    Args:
        error: What the engine's client raised.
        image: The image that was to be started.
    """
    if isinstance(error, ServerStartError):
        return error
    if isinstance(error, GatewayError):
        return ServerStartError(f"The server did not start: {error}.")
    said = _words(error)
    advice = "an administrator finds more in the log of the hub"
    if isinstance(error, APIError | DockerException | RequestException | OSError):
        for pattern, what in _ADVICE.items():
            if re.search(pattern, said, re.IGNORECASE):
                advice = what
                break
    return ServerStartError(
        f"The server did not start from the image {image}: {advice}. The engine said: {said}"
    )


def explain_end(state: dict[str, Any], log: str, memory_bytes: int | None) -> ServerStartError:
    """Return the error that says why a container ended before it answered.

    Args:
        state: The engine's word on the container, `State` of its inspection.
        log: The last lines that it wrote.
        memory_bytes: Its memory limit.
    """
    if state.get("OOMKilled"):
        limit = "" if memory_bytes is None else f" of {memory_bytes / 2**20:.0f} MiB"
        return ServerStartError(
            f"The server was ended because it needed more than its memory{limit}: "
            "choose a larger size"
        )
    code, said = state.get("ExitCode"), " ".join(log.split())[-_LONGEST:]
    return ServerStartError(
        f"The server ended with code {code} before it answered"
        f"{f', saying: {said}' if said else ' and said nothing'}. Try again; an administrator "
        "checks that the image is one for notebooks and fits this hub"
    )


def _words(error: BaseException) -> str:
    said = getattr(error, "explanation", None) or str(error) or type(error).__name__
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    return " ".join(str(said).split())[:_LONGEST]
