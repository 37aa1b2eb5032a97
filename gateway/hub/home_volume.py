"""The home of a person: a volume of the engine that outlives every container."""

from typing import Any

from docker.errors import APIError, NotFound

from gateway.hub.containment import LABEL


def ensure_home(client: Any, name: str, size_bytes: int | None, owner: str) -> bool:
    """Make the volume of a person's home unless it is there.

    Args:
        client: The engine.
        name: Of the volume.
        size_bytes: The most it may hold; None sets no limit.
        owner: The gateway home that it belongs to, for its label.

    Returns:
        Whether its size is limited. Docker can do so where its folder lies on XFS with project
        quotas; elsewhere the volume is made without a limit.
    """
    try:
        found = client.inspect_volume(name)
        return "size" in (found.get("Options") or {})
    except NotFound:
        pass
    labels = {LABEL: owner}
    if size_bytes is not None:
        try:
            client.create_volume(name, driver_opts={"size": str(size_bytes)}, labels=labels)
        except APIError as error:
            if "quota" not in str(error).lower():
                raise
        else:
            return True
    client.create_volume(name, labels=labels)
    return False
