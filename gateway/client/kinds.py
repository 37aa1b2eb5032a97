"""What was opened: a volume or a table; and a box of a volume."""

from typing import Any

from numpy.typing import NDArray

from gateway.client.session import Points
from gateway.errors import CallError
from gateway.volumes.box import Box, Vector
from gateway.volumes.volume import Volume


def volume_of(thing: object, ref: str) -> Volume:
    """Return a thing that is a volume.

    Raises:
        CallError: It is something else.
    """
    if not isinstance(thing, Volume):
        raise CallError(f"{ref} is a {type(thing).__name__}, not a volume; use session.open(REF)")
    return thing


def points_of(thing: Volume | Points, ref: str) -> Points:
    """Return a thing that is a table.

    Raises:
        CallError: It is a volume.
    """
    if isinstance(thing, Volume):
        raise CallError(f"{ref} is a volume, not a table; use session.open(REF)")
    return thing


def cut(volume: Volume, box: Box | tuple[Vector, Vector], level: int, channel: int) -> NDArray[Any]:
    """Read a box of one channel: voxels of the level, or two corners in micrometres."""
    voxels = box if isinstance(box, Box) else volume.box_um(*box, level)
    return volume.read(voxels, level=level, channel=channel)
