"""Which folders of a store are shown to whom: one read-only bind per thing, never the store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from gateway.errors import RefError
from gateway.volumes.dataset import EntryKind, entry_key
from gateway.volumes.keys import parse_key
from gateway.volumes.ref import Ref, parse_ref

MOUNT = "/gateway/data"
"""Where a container finds what it may read: `/gateway/data/DATASET/NAME.ome.zarr`."""
MOST_BINDS = 400
"""Each bind costs the engine a little at every start; what goes beyond is read over HTTP."""

BOUND_KINDS: tuple[EntryKind, ...] = ("image", "points", "mesh", "skeleton")
"""What is served as it lies, so that a bind shows nothing that HTTP would not. Crates, tile lists
and links name other datasets, people and paths of the machine: they are never bound."""

Reason = Literal["linked elsewhere", "too many", "odd place"]


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """Something of a dataset that might be bound."""

    ref: Ref
    kind: EntryKind
    place: Path
    """Where its files lie, links followed."""
    linked: bool = False
    """Whether it is registered in place, so that its files lie outside the store."""


@dataclass(frozen=True, slots=True, order=True)
class Bind:
    """A folder or file of this machine, and where a container sees it, read-only."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binds:
    """What one person's container is shown."""

    binds: tuple[Bind, ...] = ()
    over_http: tuple[tuple[Ref, Reason], ...] = ()
    """What the person may read too, but over HTTP only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which folders of this machine may be shown at all."""

    store: Path
    roots: Sequence[Path] = ()
    """Folders of data that is registered in place."""
    private: Sequence[Path] = ()
    """Folders of which nothing is shown, wherever they lie: the home with its secrets."""


def thing_target(ref: Ref, kind: EntryKind, mount: str = MOUNT) -> str:
    """Return where a container sees a thing."""
    return str(PurePosixPath(mount) / entry_key(ref, kind))


def named_thing(dataset: str, file: str) -> tuple[Ref, EntryKind] | None:
    """Return what a file name of a dataset's folder stands for; None for what is never bound."""
    for kind in BOUND_KINDS:
        suffix = entry_key(Ref("a", "b"), kind).removeprefix("a/b")
        if file.endswith(suffix):
            try:
                return parse_ref(f"{dataset}/{file.removesuffix(suffix)}"), kind
            except RefError:
                return None  # a foreign file: no ref can name it
    return None


def choose_binds(
    things: Iterable[Thing],
    seen: frozenset[str] | None,
    places: Places,
    *,
    most: int = MOST_BINDS,
) -> Binds:
    """Choose what is bound for somebody.

    Args:
        things: What there is.
        seen: The datasets that the person may see; None means all, for an administrator.
        places: What may be shown at all.
        most: How many binds there may be; things that come first are bound first.

    Returns:
        Binds of single things: their sources never hold one another, and never the store.
    """
    binds: list[Bind] = []
    over_http: list[tuple[Ref, Reason]] = []
    for thing in things:
        if seen is not None and thing.ref.dataset not in seen:
            continue
        reason = _refusal(thing, places)
        if reason is None and len(binds) >= most:
            reason = "too many"
        if reason is None:
            binds.append(Bind(str(thing.place), thing_target(thing.ref, thing.kind)))
        else:
            over_http.append((thing.ref, reason))
    return Binds(binds=tuple(binds), over_http=tuple(over_http))


def _refusal(thing: Thing, places: Places) -> Reason | None:
    if not thing.linked:
        here = places.store / entry_key(thing.ref, thing.kind)
        # a link inside the store would show, under an open name, what lies under a closed one
        return None if thing.place == here and _is_plain(thing.place) else "odd place"
    closed = (places.store, *places.private)
    overlaps = any(_holds(a, thing.place) or _holds(thing.place, a) for a in closed)
    inside = any(_holds(root, thing.place) and root != thing.place for root in places.roots)
    if overlaps or not inside:
        return "linked elsewhere"
    return None if _is_plain(thing.place) else "odd place"


def _holds(folder: Path, place: Path) -> bool:
    return place.is_relative_to(folder)


def _is_plain(place: Path) -> bool:
    """Tell whether a path is absolute and means itself."""
    if not place.is_absolute() or ".." in place.parts or not str(place).isprintable():
        return False
    try:
        parse_key(place.name)
    except RefError:
        return False
    return True
