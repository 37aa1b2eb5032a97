"""Points tables as Neuroglancer precomputed annotations, made when they are asked for."""

import json
import re
import time
from threading import Lock

from gateway.errors import FormatError, NotFoundError
from gateway.service.gateway import Gateway
from gateway.service.view.annotation_index import AnnotationIndex, build_index
from gateway.service.view.kept import Kept
from gateway.volumes.dataset import entry_key
from gateway.volumes.points import open_points
from gateway.volumes.ref import Ref

_CELL = re.compile(r"spatial(\d{1,3})/(\d{1,6})_(\d{1,6})_(\d{1,6})\Z", re.ASCII)
_BY_ID = re.compile(r"by_id/(\d{1,20})\Z", re.ASCII)
_INDEX_BYTES = 512_000_000
_TRUSTED_S = 2.0
"""How long an index is used before it is asked whether the table is still the same."""

_indexes: Kept[tuple[AnnotationIndex, float]] = Kept(_INDEX_BYTES, lambda kept: kept[0].nbytes)
_building: dict[str, Lock] = {}
_lock = Lock()


def read(gateway: Gateway, ref: Ref, key: str) -> bytes:
    """Return what the folder of annotations of a points table holds under a key.

    Args:
        gateway: The gateway.
        ref: The points table.
        key: `info`, `spatialN/X_Y_Z` or `by_id/ID`.

    Raises:
        NotFoundError: There is no such table, level, cell or id.
        FormatError: The table is broken.
        StoreError: The storage failed.
    """
    index = index_of(gateway, ref)
    if key == "info":
        return json.dumps(index.info()).encode()
    cell = _CELL.match(key)
    if cell:
        level, x, y, z = map(int, cell.groups())
        return index.cell(level, (x, y, z))
    one = _BY_ID.match(key)
    if one:
        return index.one(int(one[1]))
    raise NotFoundError(
        f"{ref} as annotations has no {key!r}; there are info, spatialN/X_Y_Z and by_id/ID"
    )


def index_of(gateway: Gateway, ref: Ref) -> AnnotationIndex:
    """Return the index of a table, built by the first who asks and kept within a bound.

    Raises:
        NotFoundError: There is no such table.
        FormatError: The table is broken.
        StoreError: The storage failed.
    """
    store, key = gateway.store, entry_key(ref, "points")
    name = f"{store.url}\n{key}"
    kept = _indexes.get(name)
    now = time.monotonic()
    if kept is not None and now - kept[1] < _TRUSTED_S:
        return kept[0]
    with _lock:
        lock = _building.setdefault(name, Lock())
    with lock:
        kept = _indexes.get(name)
        if kept is not None and now - kept[1] < _TRUSTED_S:
            return kept[0]
        version = _version(gateway, ref, key)
        if kept is None or kept[0].version != version:
            index = build_index(open_points(store, key), version)
        else:
            index = kept[0]
        _indexes.put(name, (index, time.monotonic()))
    return index


def _version(gateway: Gateway, ref: Ref, key: str) -> tuple[object, ...]:
    """Return what changes when another table takes the name."""
    path = gateway.store.local_path(key)
    if path is None:
        table = open_points(gateway.store, key)
        return (gateway.store.url, key, table.digest, table.count, table.made_by)
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise NotFoundError(f"there is no points table {ref} in {gateway.store.url}") from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}") from error
    return (gateway.store.url, key, stat.st_ino, stat.st_mtime_ns, stat.st_size)
