"""The blank-viewer doctor: for one thing of a dataset, why a viewer may show nothing of it."""

from collections.abc import Iterator, Mapping

from gateway.errors import GatewayError, NotFoundError
from gateway.service.gateway import Gateway
from gateway.service.view.blank_place import check_levels, check_neighbours, check_scale
from gateway.service.view.blank_voxels import (
    check_agreement,
    check_content,
    check_dtype,
    check_shards,
)
from gateway.service.view.findings import Finding, good, perhaps, wrong
from gateway.service.view.states import Placed, open_shown
from gateway.volumes.dataset import Entry, find_entry, list_entries
from gateway.volumes.points import PointsTable
from gateway.volumes.ref import Ref
from gateway.volumes.volume import Volume

_SHOWN = ("image", "labels", "points", "mesh", "skeleton")
_OLD_MARKS = (".zattrs", ".zgroup", ".zarray")
_REFUSALS: Mapping[int, tuple[str, str]] = {
    0: (
        "the browser got no answer: the address cannot be reached, or the browser blocked it",
        "open the address in a tab of its own; pages over HTTPS fetch nothing from plain HTTP",
    ),
    401: ("nobody is signed in", "sign in, or ask for a share link"),
    403: ("the link or session may not see this", "a link may have ended: ask for a new one"),
    404: ("the address leads to nothing", "the thing was renamed or removed: open its dataset"),
    416: (
        "a range beyond the end of a file was asked for",
        "the file is shorter than its metadata say: see `gateway verify`",
    ),
    429: ("too much was asked for at once", "wait a moment, then reload"),
}
_SERVER_ERROR = 500


def diagnose(gateway: Gateway, ref: Ref, status: int | None = None) -> list[Finding]:
    """Say why a viewer may show nothing of a thing, the surest reasons first.

    Args:
        gateway: The gateway.
        ref: An image, labels, points, mesh or skeleton.
        status: The HTTP status that the page met when it asked for the data; 0 for no answer.

    Returns:
        What was found; only findings that are `good` mean that the reason lies elsewhere.

    Raises:
        NotFoundError: Nothing has that name.
        StoreError: The storage failed.
    """
    where = str(ref)
    found = list(_refusal(status, where))
    entry = find_entry(gateway.store, ref)
    if entry is None:
        return [*found, _absent(gateway, ref)]
    if entry.kind not in _SHOWN:
        advice = f"open one of the kinds {', '.join(_SHOWN)}"
        return [
            *found,
            wrong("kind", where, f"it is a {entry.kind}, which no viewer shows", advice),
        ]
    try:
        item = open_shown(gateway, entry)
    except GatewayError as error:
        advice = "`gateway verify` says what is damaged; restore it, or make it again"
        return [*found, wrong("broken", where, str(error), advice)]
    try:
        found += _examine(gateway, item, where)
    except GatewayError as error:
        found.append(wrong("unreadable", where, str(error), "see that its storage can be reached"))
    order = ("wrong", "perhaps", "good")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _examine(gateway: Gateway, item: Placed, where: str) -> Iterator[Finding]:
    if isinstance(item.thing, Volume):
        yield from _examine_volume(item.thing, item.entry, where)
    elif isinstance(item.thing, PointsTable):
        yield from _examine_points(item.thing, where)
    else:
        yield good("open", where, f"this {item.entry.kind} is there; viewers alone read it")
    others = list(_others(gateway, item.entry))
    yield from check_neighbours(item, others, where)


def _examine_volume(volume: Volume, entry: Entry, where: str) -> Iterator[Finding]:
    info = volume.info
    if info.digest is None and not entry.linked:
        yield perhaps(
            "unfinished",
            where,
            "it carries no digest: it was not finished, or another program wrote it",
            "see `gateway runs`, or register it in place: `gateway ingest --in-place`",
        )
    yield from check_dtype(volume, where)
    yield from check_scale(info, where)
    yield from check_levels(info, where)
    yield from check_content(volume, where)
    if not entry.linked:
        yield from check_shards(volume, where)
    yield from check_agreement(volume, where)


def _examine_points(table: PointsTable, where: str) -> Iterator[Finding]:
    if table.count == 0:
        yield wrong("empty", where, "the table has no rows", "look at the run that made it: "
                    "`gateway show`; a threshold may be too high")  # fmt: skip
        return
    yield good("content", where, f"{table.count:,} points")


def _others(gateway: Gateway, entry: Entry) -> Iterator[Placed]:
    for other in list_entries(gateway.store, entry.ref.dataset):
        if other.kind == "image" and other.ref != entry.ref:
            try:
                yield open_shown(gateway, other)
            except GatewayError:
                continue


def _refusal(status: int | None, where: str) -> Iterator[Finding]:
    if status is None:
        return
    known = _REFUSALS.get(status)
    if known is None and status >= _SERVER_ERROR:
        known = ("the service failed to answer", "look into its log for the first error")
    if known is not None:
        answered = "" if status == 0 else f" (status {status})"
        yield wrong("request", where, f"{known[0]}{answered}", known[1])


def _absent(gateway: Gateway, ref: Ref) -> Finding:
    """Tell old formats from names that are not there.

    Raises:
        NotFoundError: Nothing has that name.
    """
    key = f"{ref.dataset}/{ref.name}.ome.zarr"
    if any(gateway.store.exists(f"{key}/{mark}") for mark in _OLD_MARKS):
        return wrong(
            "old-format",
            str(ref),
            f"{key} is of an older Zarr (version 2, OME-Zarr 0.4 or before)",
            f"convert it with `gateway ingest PATH {ref}-new`, or register it with --in-place",
        )
    if gateway.store.exists(key):
        return wrong(
            "incomplete",
            str(ref),
            f"{key} has no zarr.json, so it is not complete",
            "run the command that makes it again: it goes on where it was stopped",
        )
    raise NotFoundError(f"there is no {ref} in the store {gateway.store.url}")
