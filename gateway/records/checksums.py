"""Checksums of the files that no content digest covers: metadata, tables, reports."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.volumes.store import Store
from gateway.volumes.tiles import TILES_FILE

_PIECE = 1 << 20
_SHARDS = "c"
"""Folder of a Zarr array that holds its shards; their cells have hashes of their own."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FileRecord:
    """A file of a dataset as it was recorded."""

    path: str
    """Relative to the dataset's folder."""
    size: int
    sha256: str


def hash_file(store: Store, dataset: str, path: str) -> FileRecord:
    """Read a file of a dataset once and return its size and checksum.

    Raises:
        NotFoundError: There is no such file.
        StoreError: The storage failed.
    """
    checksum, size = hashlib.sha256(), 0
    with store.open(f"{dataset}/{path}") as stream:
        while piece := stream.read(_PIECE):
            checksum.update(piece)
            size += len(piece)
    return FileRecord(path=path, size=size, sha256=checksum.hexdigest())


def list_files(store: Store, dataset: str, path: str) -> Iterator[str]:
    """Name every file of an entry that needs a checksum.

    That is all but the shards of volumes and the tiles of grids: cell hashes cover the ones,
    the checksums in `tiles.json` the others.

    Args:
        store: Where the dataset lies.
        dataset: Its name.
        path: The entry, relative to the dataset's folder: one file or a whole tree.
    """
    listing = store.list(f"{dataset}/{path}")
    if not listing.files and not listing.folders:
        if store.exists(f"{dataset}/{path}"):
            yield path
        return
    if TILES_FILE in listing.files:
        yield f"{path}/{TILES_FILE}"
        return
    for name in listing.files:
        yield f"{path}/{name}"
    is_array = "zarr.json" in listing.files
    for name in listing.folders:
        if not (is_array and name == _SHARDS):
            yield from list_files(store, dataset, f"{path}/{name}")
