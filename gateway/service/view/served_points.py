"""Points tables as Neuroglancer annotations: made by their own module, named for caches here."""

from gateway.service.gateway import Gateway
from gateway.service.view.annotations import read
from gateway.service.view.served_made import MadeFile, made_file
from gateway.volumes.ref import Ref


def read_points(gateway: Gateway, ref: Ref, key: str) -> MadeFile:
    """Return a file of the annotations of a points table.

    Raises:
        NotFoundError: There is no such table, or no such file of it.
    """
    return made_file(read(gateway, ref, key))
