"""Links: arrays that lie elsewhere, registered where they are and read as volumes."""

from secrets import token_hex
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.errors import ExistsError, FormatError
from gateway.volumes.dataset import entry_key, find_entry, staging_key
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.inplace.arrays import LinkedArray, LinkedLevels
from gateway.volumes.inplace.survey import survey
from gateway.volumes.keys import join_key
from gateway.volumes.model import VolumeInfo, VolumeKind
from gateway.volumes.ref import Ref
from gateway.volumes.store import Store, open_store
from gateway.volumes.tensors import IoLimits
from gateway.volumes.volume import Volume

_SCHEMES = ("precomputed://", "zarr://", "zarr2://", "zarr3://", "n5://")
"""Names of formats before a URL, as Neuroglancer writes them: the metadata tell them anyway."""


class Link(BaseModel):
    """The content of a `….link.json`: where the voxels lie, and the metadata of the volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway_link: Literal[1] = 1
    kind: VolumeKind
    format: str
    url: str
    """The store in which the arrays lie."""
    arrays: tuple[LinkedArray, ...]
    info: VolumeInfo


def register(store: Store, ref: Ref, url: str, options: OpenOptions | None = None) -> VolumeInfo:
    """Register an existing array in place: only a small link is written, no voxel is copied.

    Reads metadata by name, never a listing, so its cost does not grow with the volume.

    Args:
        store: Where the link is written.
        ref: The name to give it.
        url: Folder, `s3://` or `http(s)://` URL of an OME-Zarr image, Zarr array, N5 dataset or
            group, or Neuroglancer precomputed volume.
        options: What the metadata do not say; `dataset` and `series` are a path below the URL.

    Raises:
        ExistsError: The name is taken.
        NotFoundError: There is no such folder.
        FormatError: Nothing there is known, or a voxel size, axis or dtype cannot be told.
    """
    taken = find_entry(store, ref)
    if taken is not None:
        raise ExistsError(f"{ref} already exists ({taken.key}); choose another name")
    options = options or OpenOptions()
    series = None if options.series is None else str(options.series)
    target = open_store(_plain_url(url, options.dataset or series))
    found = survey(target, options)
    link = Link(
        kind=found.info.kind,
        format=found.format,
        url=target.url,
        arrays=found.arrays,
        info=found.info,
    )
    staged = f"{staging_key(ref.dataset, 'links')}/{ref.name}-{token_hex(8)}.json"
    store.put(staged, f"{link.model_dump_json(indent=2)}\n".encode())
    store.publish(staged, entry_key(ref, "link"))
    return found.info


def open_link(store: Store, key: str, *, limits: IoLimits | None = None) -> Volume:
    """Open a registered volume; its arrays are opened when they are first read.

    Raises:
        NotFoundError: There is no such link.
        FormatError: The link is broken.
    """
    link = read_link(store, key)
    levels = LinkedLevels(link.url, link.arrays, link.info.axes, link.info.dtype)
    return Volume(store, key, link.info, limits, levels)


def read_link(store: Store, key: str) -> Link:
    """Read what a link says; nothing is asked of where it leads.

    Raises:
        NotFoundError: There is no such link.
        FormatError: The link is broken.
    """
    try:
        return Link.model_validate_json(store.get(key))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FormatError(
            f"{key} in {store.url} is no link: {place} {first['msg']}; register the volume again"
        ) from error


def _plain_url(url: str, below: str | None) -> str:
    for scheme in _SCHEMES:
        url = url.removeprefix(scheme)
    root, mark, query = url.partition("?")
    folder = f"{root.rstrip('/')}/{join_key(below)}" if below else root
    return f"{folder}{mark}{query}"
