"""What a person's container may read: found in the store and in the rights at every start."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from gateway.errors import GatewayError
from gateway.hub.binds import BOUND_KINDS, Binds, Places, Thing, choose_binds, named_thing
from gateway.service.access.named import actor_named
from gateway.service.access.rights import visible_datasets
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.view.served import Folder, ServedThings
from gateway.volumes.dataset import entry_key, list_datasets
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import Store

_LINK = entry_key(parse_ref("a/b"), "link").removeprefix("a/b")


@lru_cache(maxsize=4)
def gateway_of(home: Path) -> Gateway:
    """Open the gateway of a home, once for the life of the hub.

    Raises:
        SettingsError: The folder is no gateway home, or a setting is wrong.
        StoreError: The store or the catalogue cannot be reached.
    """
    return open_gateway(home)


def binds_of(gateway: Gateway, person: str) -> Binds:
    """Return what a person's container is shown, by the rights of this moment.

    Raises:
        ForbiddenError: The person is gone or may no longer sign in.
        StoreError: The store or the database failed.
    """
    root = gateway.store.local_path("")
    if root is None:
        return Binds()  # a bucket: everything is read over HTTP
    seen = visible_datasets(gateway, actor_named(gateway, person))
    roots = tuple(path.resolve() for path in gateway.settings.inboxes)
    places = Places(store=root, roots=roots, private=(gateway.home.resolve(),))
    return choose_binds(_things(gateway, seen), seen, places)


def _things(gateway: Gateway, seen: frozenset[str] | None) -> Iterator[Thing]:
    """Yield what might be bound, dataset by dataset."""
    served = ServedThings(gateway)
    for dataset in list_datasets(gateway.store):
        if seen is None or dataset in seen:
            yield from _of_dataset(gateway.store, served, dataset)


def _of_dataset(store: Store, served: ServedThings, dataset: str) -> Iterator[Thing]:
    listing = store.list(dataset)
    for file in (*listing.folders, *listing.files):
        named = named_thing(dataset, file)
        if named is not None:
            ref, kind = named
            place = store.local_path(f"{dataset}/{file}")
            if place is not None:
                yield Thing(ref, kind, place)
        elif file.endswith(_LINK):
            yield from _linked(served, dataset, file.removesuffix(_LINK))


def _linked(served: ServedThings, dataset: str, name: str) -> Iterator[Thing]:
    """Yield a volume registered in place if its own files say what is served of it."""
    try:
        ref = parse_ref(f"{dataset}/{name}")
        found = served.find(ref, "image")
    except GatewayError:
        return  # whoever opens it is told what is wrong
    if isinstance(found, Folder):
        yield Thing(ref, BOUND_KINDS[0], Path(found.root), linked=True)
