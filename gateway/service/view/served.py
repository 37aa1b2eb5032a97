"""What is served of a store: which folder, bucket or volume stands behind a ref."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.errors import GatewayError, NotFoundError
from gateway.service.gateway import Gateway
from gateway.service.view.served_chunks import MadeVolume
from gateway.service.view.served_disks import is_slow_disk
from gateway.volumes.dataset import entry_key
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.http_store import HttpStore
from gateway.volumes.inplace.arrays import LinkedArray
from gateway.volumes.inplace.described import read_document
from gateway.volumes.inplace.survey import survey
from gateway.volumes.keys import join_key
from gateway.volumes.link import Link, open_link, read_link
from gateway.volumes.objects import Objects
from gateway.volumes.ref import Ref
from gateway.volumes.s3_store import S3Store
from gateway.volumes.store import Store, open_store
from gateway.volumes.tensors import IoLimits

ServedKind = Literal["image", "points", "mesh", "skeleton"]
SUFFIXES: dict[ServedKind, str] = {
    "image": ".ome.zarr",
    "points": ".points",
    "mesh": ".mesh",
    "skeleton": ".skeleton",
}
_ROOT: dict[ServedKind, str] = {"image": "zarr.json", "mesh": "info", "skeleton": "info"}

_KEPT_S = 2.0
"""How long an answer holds: what is deleted and made anew under its name is seen after that."""
_KEPT = 1024
_MADE = 8
_DECODED_BYTES = 32_000_000
"""Decoded chunks kept for each volume that is made on the fly."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Files below a folder of this machine."""

    root: str
    """Without symbolic links."""
    slow: bool
    """Whether a look at it may wait for a network."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Files below a prefix of a bucket or web server."""

    objects: Objects
    prefix: str

    def key(self, key: str) -> str:
        """Return the key in the store of a key below the prefix."""
        return f"{self.prefix}/{key}" if self.prefix else key


@dataclass(frozen=True, slots=True)
class PointsTable:
    """A points table, which is turned into annotations."""

    ref: Ref


Served = Folder | Bucket | MadeVolume | PointsTable


class ServedThings:
    """Finds what stands behind refs, and remembers it for a moment."""

    def __init__(self, gateway: Gateway) -> None:
        """Serve the store of a gateway."""
        self._store = gateway.store
        self._found: OrderedDict[tuple[Ref, str], tuple[float, Served | None]] = OrderedDict()
        self._made: OrderedDict[str, MadeVolume] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, ref: Ref, kind: ServedKind) -> Served | None:
        """Return what is remembered, without asking the store.

        Raises:
            NotFoundError: It is remembered that there is nothing.
        """
        found = self._found.get((ref, kind))
        if found is None or found[0] < time.monotonic():
            return None
        if found[1] is None:
            raise _nothing(ref, kind)
        return found[1]

    def find(self, ref: Ref, kind: ServedKind) -> Served:
        """Return what stands behind a ref; asks the store.

        Raises:
            NotFoundError: There is nothing of that name and kind.
            FormatError: A link is broken.
            StoreError: The storage failed.
        """
        if kind == "points":
            return PointsTable(ref)
        try:
            served: Served | None = self._find(ref, kind)
        except NotFoundError:
            served = None
        with self._lock:
            self._found[ref, kind] = (time.monotonic() + _KEPT_S, served)
            self._found.move_to_end((ref, kind))
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        if served is None:
            raise _nothing(ref, kind)
        return served

    def _find(self, ref: Ref, kind: ServedKind) -> Served:
        key = entry_key(ref, kind)
        if self._store.exists(f"{key}/{_ROOT[kind]}"):
            return _place(self._store, key)
        if kind != "image":
            raise _nothing(ref, kind)
        return self._linked(entry_key(ref, "link"))

    def _linked(self, key: str) -> Served:
        link = read_link(self._store, key)
        content = link.model_dump_json()
        with self._lock:
            made = self._made.get(content)
        if made is not None:
            return made
        passed = _as_it_lies(link)
        if passed is not None:
            return passed
        limits = IoLimits(cache_bytes=_DECODED_BYTES)
        made = MadeVolume(open_link(self._store, key, limits=limits))
        with self._lock:
            self._made[content] = made
            while len(self._made) > _MADE:
                self._made.popitem(last=False)
        return made


def _place(store: Store, key: str) -> Folder | Bucket:
    path = store.local_path(key)
    if path is not None:
        root = Path(path).resolve()
        return Folder(str(root), is_slow_disk(root.stat().st_dev))
    if isinstance(store, S3Store | HttpStore):
        return Bucket(store.objects, key)
    raise NotFoundError(f"the store {store.url} has no files that can be served")


def _as_it_lies(link: Link) -> Folder | Bucket | None:
    """Return where a linked volume lies if its own files say what the link says."""
    if link.format != "ome-zarr" or any(
        array.driver != "zarr3" or array.axes != link.info.axes for array in link.arrays
    ):
        return None
    target = open_store(link.url)
    try:
        found = survey(target, OpenOptions())
    except GatewayError:
        return None  # the link says more than the files do
    if found.info != link.info or not all(_is_of(link.info.dtype, target, a) for a in link.arrays):
        return None
    return _place(target, "")


def _is_of(dtype: str, target: Store, array: LinkedArray) -> bool:
    document = read_document(target, join_key(array.path, "zarr.json"))
    return document is not None and document.get("data_type") == dtype


def _nothing(ref: Ref, kind: ServedKind) -> NotFoundError:
    return NotFoundError(f"there is no {ref}{SUFFIXES[kind]} in the store")
