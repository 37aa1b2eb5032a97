"""The calls behind a thing of the store, as the records have them."""

from collections.abc import Iterable

from gateway.errors import NotFoundError
from gateway.service.gateway import Gateway
from gateway.service.listing import show_entry
from gateway.toolkit.call import Call


def calls_behind(gateway: Gateway, refs: Iterable[str]) -> list[Call]:
    """Return the calls that led to some things, each after those that made its inputs.

    Raises:
        NotFoundError: One of the things is not there.
    """
    found: dict[str, Call] = {}
    seen: set[str] = set()
    for ref in refs:
        _follow(gateway, ref, found, seen)
    return list(found.values())


def _follow(gateway: Gateway, ref: str, found: dict[str, Call], seen: set[str]) -> None:
    if ref in seen:
        return
    seen.add(ref)
    run = show_entry(gateway, ref).made_by
    if run is None or run.id in found:
        return
    for port in run.inputs:
        if port.kind != "file":
            try:
                _follow(gateway, port.ref, found, seen)
            except NotFoundError:
                continue  # gone since: it becomes an input
    found[run.id] = Call.from_json(run.call)
