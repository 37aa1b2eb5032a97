"""Datasets: what one folder of a store says of its sample, and the things in it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import FormatError, NotFoundError, RefError
from gateway.volumes.keys import Listing, join_key
from gateway.volumes.ref import Ref, parse_dataset, parse_ref
from gateway.volumes.store import Store

EntryKind = Literal[
    "image", "labels", "points", "tiles", "transform", "mesh", "skeleton", "link", "report"
]

STAGING = ".staging"
"""Folder of a dataset that holds what is not complete; it is never listed."""

DATASET_FILE = "dataset.json"
"""What describes the sample, in the folder of a dataset."""
_VOLUME, _LINK, _REPORT = ".ome.zarr", ".link.json", ".report"
_SUFFIXES: dict[EntryKind, str] = {
    "image": _VOLUME,
    "labels": _VOLUME,
    "points": ".points.parquet",
    "tiles": ".tiles",
    "transform": ".transform.json",
    "mesh": ".mesh",
    "skeleton": ".skeleton",
    "link": _LINK,
    "report": _REPORT,
}
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_ROOT_FILES = {_VOLUME: "zarr.json", ".tiles": "tiles.json", ".mesh": "info", ".skeleton": "info"}
"""Where a store has no rename, a folder without its root file is not complete."""
_LISTED: dict[str, EntryKind] = {
    suffix: kind for kind, suffix in _SUFFIXES.items() if suffix != _REPORT
}


def _check_date(text: str) -> str:
    """Check a day, a month or a year.

    Raises:
        ValueError: It is none, or there is no such day.
    """
    if text:
        try:
            parts = _DATE.fullmatch(text)
            year, month, day = (int(part or 1) for part in parts.groups()) if parts else (0, 0, 0)
            date(year, month, day)
        except ValueError as error:
            raise ValueError(
                "expected a day, a month or a year, as 2026-11-21, 2026-11 or 2026"
            ) from error
    return text


class DatasetInfo(BaseModel):
    """What `dataset.json` says of the sample. Empty means not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(default="", max_length=500)
    sample: str = Field(default="", max_length=200)
    species: str = Field(default="", max_length=200)
    stain: str = Field(default="", max_length=200)
    modality: str = Field(default="", max_length=200)
    """How it was imaged: light sheet, confocal, electron microscopy, …"""
    date: Annotated[str, AfterValidator(_check_date)] = ""
    """When it was imaged: a day, a month or a year, as 2026-11-21, 2026-11 or 2026."""
    licence: str = Field(default="", max_length=200)
    people: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One named thing of a dataset."""

    ref: Ref
    kind: EntryKind
    """`image` or `labels` for a linked volume too: `linked` tells them."""
    key: str

    @property
    def linked(self) -> bool:
        """Whether the voxels lie elsewhere, registered in place."""
        return self.key.endswith(_LINK)


def entry_key(ref: Ref, kind: EntryKind) -> str:
    """Return where a thing of that name and kind lies in its store."""
    return f"{ref.dataset}/{ref.name}{_SUFFIXES[kind]}"


def staging_key(dataset: str, run: str) -> str:
    """Return the folder in which a run keeps what is not complete."""
    return join_key(parse_dataset(dataset), STAGING, run)


def read_dataset(store: Store, dataset: str) -> DatasetInfo:
    """Read `dataset.json`; a dataset without one has all fields empty.

    Raises:
        NotFoundError: There is no such dataset.
        FormatError: The file is not JSON or has a wrong field.
    """
    key = join_key(parse_dataset(dataset), DATASET_FILE)
    try:
        content = store.get(key)
    except NotFoundError:
        if dataset in list_datasets(store):
            return DatasetInfo()
        there = ", ".join(list_datasets(store)) or "none yet"
        raise NotFoundError(
            f"no dataset {dataset!r} in the store {store.url}; there is: {there}"
        ) from None
    try:
        return DatasetInfo.model_validate_json(content)
    except ValidationError as error:
        raise FormatError(f"{key} in {store.url} is not a dataset description: {error}") from error


def write_dataset(store: Store, dataset: str, info: DatasetInfo) -> None:
    """Write `dataset.json`, replacing the one there is."""
    text = json.dumps(info.model_dump(mode="json"), indent=2, ensure_ascii=False)
    store.put(join_key(parse_dataset(dataset), DATASET_FILE), f"{text}\n".encode())


def list_datasets(store: Store) -> tuple[str, ...]:
    """Name the datasets of a store, sorted."""
    return tuple(name for name in store.list("").folders if _is_dataset(name))


def list_entries(store: Store, dataset: str) -> tuple[Entry, ...]:
    """List the things of a dataset by name; reports and what is being made are left out.

    Raises:
        NotFoundError: There is no such dataset.
    """
    listing = store.list(parse_dataset(dataset))
    if not (listing.folders or listing.files) and dataset not in list_datasets(store):
        read_dataset(store, dataset)
    return tuple(sorted(_entries(store, dataset, listing)))


def find_entry(store: Store, ref: Ref) -> Entry | None:
    """Return what carries the name `ref`, of whatever kind, or None where the name is free."""
    # One listing costs a bucket less than a question per kind; a web server may have none.
    there = store.list(ref.dataset) if store.writable else None
    for suffix, kind in _LISTED.items():
        name = f"{ref.name}{suffix}"
        if there is not None and name not in (*there.folders, *there.files):
            continue
        key = f"{ref.dataset}/{name}"
        if _is_complete(store, key, suffix):
            return Entry(ref, _exact_kind(store, key, kind), key)
    return None


def _entries(store: Store, dataset: str, listing: Listing) -> Iterator[Entry]:
    for name in (*listing.folders, *listing.files):
        for suffix, kind in _LISTED.items():
            if not name.endswith(suffix):
                continue
            try:
                ref = parse_ref(f"{dataset}/{name.removesuffix(suffix)}")
            except RefError:
                continue  # a foreign file: no ref can name it
            key = f"{dataset}/{name}"
            if suffix not in _ROOT_FILES or _is_complete(store, key, suffix):
                yield Entry(ref, _exact_kind(store, key, kind), key)


def _is_complete(store: Store, key: str, suffix: str) -> bool:
    root = _ROOT_FILES.get(suffix)
    return store.exists(f"{key}/{root}" if root else key)


def _exact_kind(store: Store, key: str, kind: EntryKind) -> EntryKind:
    """Tell labels from images: only the metadata of a volume can."""
    if key.endswith(_VOLUME):
        attributes = _part(_read_json(store, f"{key}/zarr.json"), "attributes")
        return "labels" if "image-label" in _part(attributes, "ome") else "image"
    if key.endswith(_LINK):
        return "labels" if _read_json(store, key).get("kind") == "labels" else "image"
    return kind


def _read_json(store: Store, key: str) -> dict[str, Any]:
    try:
        return _part({key: json.loads(store.get(key))}, key)
    except (NotFoundError, ValueError):
        return {}  # whoever opens it says what is wrong


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    found = whole.get(name)
    return found if isinstance(found, dict) else {}


def _is_dataset(name: str) -> bool:
    try:
        return parse_dataset(name) == name
    except RefError:
        return False
