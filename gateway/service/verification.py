"""Verification: reads all of a dataset again and names every file that is not as recorded."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from gateway.errors import CorruptionError, GatewayError, NotFoundError
from gateway.records.checksums import FileRecord, hash_file, list_files
from gateway.records.crate import CRATE_FILE, crate_key, read_crate
from gateway.service.gateway import Gateway
from gateway.service.view.saved_files import VIEWS_FOLDER
from gateway.service.voxel_check import Fault, Progress, check_volume, count_voxels
from gateway.volumes.checksums import checksum_file
from gateway.volumes.dataset import STAGING, Entry, list_entries
from gateway.volumes.digest import columns_digest
from gateway.volumes.layers import SUFFIX as LAYER_SUFFIX
from gateway.volumes.points import open_points
from gateway.volumes.store import Store
from gateway.volumes.tiles import open_tiles
from gateway.volumes.volume import open_volume

_PIECE = 1 << 20
_VOLUMES = ("image", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification found."""

    dataset: str
    faults: tuple[Fault, ...]
    """Files that are damaged or gone; empty where all is well."""
    unrecorded: tuple[str, ...]
    """Files that no record covers, so that nothing can be said of them."""
    entries: int
    files: int
    """Files held against a recorded checksum."""
    voxels: int
    wall_s: float

    @property
    def ok(self) -> bool:
        """Whether everything recorded is as it was."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {"ok": self.ok, **asdict(self)}


def verify(
    gateway: Gateway, dataset: str, *, progress: Callable[[int, int], None] = lambda *_: None
) -> Report:
    """Hold a dataset against everything recorded of it.

    Voxels of all levels are decoded and hashed again, tables are digested again, tiles and all
    other files are held against their checksums, and the crate against its seal.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        progress: Told now and then the number of voxels checked and of all there are.

    Raises:
        NotFoundError: There is no such dataset.
        StoreError: The storage failed.
    """
    store, started = gateway.store, time.perf_counter()
    entries = list_entries(store, dataset)
    recorded, faults = _read_records(gateway, dataset)
    for file in sorted(recorded.values()):
        faults += _check_file(store, dataset, file)
    counted = _Counted(progress, _total_voxels(store, entries))
    threads = gateway.settings.workers or len(os.sched_getaffinity(0))
    damaged = {fault.file for fault in faults}
    for entry in entries:
        if entry.key not in damaged:  # a damaged table can take its reader down with it
            faults += _check_entry(store, entry, threads, counted)
    covered = set(recorded) | {CRATE_FILE}
    names = _names(store, dataset)
    return Report(
        dataset=dataset,
        faults=tuple(dict.fromkeys(faults)),
        unrecorded=tuple(f"{dataset}/{name}" for name in names if name not in covered),
        entries=len(entries),
        files=len(recorded),
        voxels=counted.voxels,
        wall_s=time.perf_counter() - started,
    )


def _read_records(gateway: Gateway, dataset: str) -> tuple[Mapping[str, FileRecord], list[Fault]]:
    """Return the recorded files, and what is wrong with the crate that records them."""
    key = crate_key(dataset)
    try:
        crate = read_crate(gateway.store, dataset)
    except CorruptionError as error:
        return {}, [Fault(file=key, what=str(error))]
    if crate is not None:
        return crate.files, []
    made = gateway.catalogue.runs(dataset=dataset, status="done", limit=1)
    what = "the file is gone; `gateway catalog rebuild` writes it anew"
    return {}, [Fault(file=key, what=what)] if made else []


class _Counted:
    """Adds up the voxels that pass by."""

    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self.voxels = 0
        self._progress = progress
        self._total = total

    def __call__(self, voxels: int) -> None:
        self.voxels += voxels
        self._progress(self.voxels, self._total)


def _total_voxels(store: Store, entries: Iterable[Entry]) -> int:
    total = 0
    for entry in entries:
        if entry.kind in _VOLUMES and not entry.linked:
            with suppress(GatewayError):  # named when its turn comes
                total += count_voxels(open_volume(store, entry.key))
    return total


def _check_file(store: Store, dataset: str, file: FileRecord) -> Iterator[Fault]:
    key = f"{dataset}/{file.path}"
    try:
        found = hash_file(store, dataset, file.path)
    except NotFoundError:
        yield Fault(file=key, what="the file is gone")
        return
    if found.size != file.size:
        yield Fault(file=key, what=f"it has {found.size} bytes, {file.size} were recorded")
    elif found != file:
        yield Fault(file=key, what="its bytes differ from those recorded (sha256)")


def _check_entry(store: Store, entry: Entry, threads: int, progress: Progress) -> Iterator[Fault]:
    """Check the content of one entry by the digest it carries."""
    if entry.linked:
        return  # the voxels belong to someone else; the link itself has a checksum
    try:
        if entry.kind in _VOLUMES:
            volume = open_volume(store, entry.key)
            yield from check_volume(volume, str(entry.ref), threads=threads, progress=progress)
        else:
            check = _CHECKS.get(entry.kind)
            if check is not None:
                yield from check(store, entry)
    except GatewayError as error:
        yield Fault(file=entry.key, what=str(error), ref=str(entry.ref))


def _check_points(store: Store, entry: Entry) -> Iterator[Fault]:
    table = open_points(store, entry.key)
    if table.digest is not None and columns_digest(table.read()) != table.digest:
        yield Fault(
            file=entry.key,
            what="its rows differ from those that were written",
            ref=str(entry.ref),
        )


def _check_tiles(store: Store, entry: Entry) -> Iterator[Fault]:
    for tile in open_tiles(store, entry.key).tiles:
        place = f"{entry.key}/{tile.file}" if tile.in_place is None else tile.in_place.path
        try:
            found = (
                _hash_tile(store, place)
                if tile.in_place is None
                else checksum_file(Path(tile.in_place.path))
            )
        except NotFoundError:
            yield Fault(file=place, what="the tile is gone", ref=str(entry.ref))
            continue
        if found != tile.checksum:
            what = "its bytes differ from those of the tile that was ingested"
            yield Fault(file=place, what=what, ref=str(entry.ref))


def _hash_tile(store: Store, key: str) -> str:
    digest = blake3()
    with store.open(key) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return f"blake3:{digest.hexdigest()}"


_CHECKS: dict[str, Callable[[Store, Entry], Iterator[Fault]]] = {
    "points": _check_points,
    "tiles": _check_tiles,
}


def _names(store: Store, dataset: str) -> Iterator[str]:
    """Name every file of a dataset that needs a checksum of its own."""
    listing = store.list(dataset)
    yield from listing.files
    for folder in listing.folders:
        # views and annotation layers change as people work, and count their own versions
        if folder not in (STAGING, VIEWS_FOLDER) and not folder.endswith(LAYER_SUFFIX):
            yield from list_files(store, dataset, folder)
