"""Opening by name: whatever kind of thing a ref names."""

from collections.abc import Callable
from difflib import get_close_matches

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.dataset import Entry, EntryKind, find_entry, list_entries
from gateway.volumes.link import open_link
from gateway.volumes.points import PointsTable, open_points
from gateway.volumes.ref import Ref
from gateway.volumes.store import Store
from gateway.volumes.tiles import TileGrid, open_tiles
from gateway.volumes.transform import Transform, read_transform
from gateway.volumes.volume import Volume, open_volume

Thing = Volume | PointsTable | TileGrid | Transform

_OPENERS: dict[EntryKind, Callable[[Store, str], Thing]] = {
    "image": open_volume,
    "labels": open_volume,
    "points": open_points,
    "tiles": open_tiles,
    "transform": read_transform,
}
_MANY = 12


def entry_of(store: Store, ref: Ref) -> Entry:
    """Return what kind of thing a ref names, and where it lies.

    Raises:
        NotFoundError: Nothing has that name; says what is near or there.
    """
    entry = find_entry(store, ref)
    if entry is None:
        raise NotFoundError(f"there is no {ref} in the store {store.url}; {_hint(store, ref)}")
    return entry


def open_ref(store: Store, ref: Ref) -> Thing:
    """Open the volume, points table, tile grid or transform that a ref names.

    A volume registered in place opens as any other.

    Raises:
        NotFoundError: Nothing has that name.
        FormatError: It is broken, or of a kind that has no handle.
    """
    entry = entry_of(store, ref)
    if entry.linked:
        return open_link(store, entry.key)
    if entry.kind not in _OPENERS:
        raise FormatError(f"{ref} is a {entry.kind} ({entry.key}), which is read by viewers only")
    return _OPENERS[entry.kind](store, entry.key)


def _hint(store: Store, ref: Ref) -> str:
    if not store.list("").folders:
        return "the store is empty"
    names = [entry.ref.name for entry in list_entries(store, ref.dataset)]
    near = get_close_matches(ref.name, names, n=1)
    if near:
        return f"did you mean {ref.dataset}/{near[0]}?"
    more = ", …" if len(names) > _MANY else ""
    return f"{ref.dataset} has {', '.join(names[:_MANY]) or 'nothing yet'}{more}"
