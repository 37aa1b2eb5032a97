"""What a person sees of the ledger, and may take back: their own, or all for administrators."""

from typing import Any

from gateway.errors import NotFoundError
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note
from gateway.service.access.rights import require_person
from gateway.service.gateway import Gateway
from gateway.service.leases.containers import reclaim_here
from gateway.service.leases.ending import take_back
from gateway.service.leases.inventory import take_inventory
from gateway.service.leases.ledger import find_lease, list_leases
from gateway.service.leases.model import Lease


def see_leases(gateway: Gateway, actor: Actor) -> dict[str, Any]:
    """Return the GPUs there are, how many are free, and the leases that the actor may see.

    Raises:
        SignInError: Nobody is signed in.
        SettingsError: The setting `devices` names something that is no device.
    """
    require_person(actor)
    devices = take_inventory(gateway)
    reclaim_here(gateway)
    leases = list_leases(gateway)
    taken = {name for lease in leases for name in lease.devices}
    free = sum(device.name not in taken for device in devices)
    waiting = sum(lease.status == "waiting" for lease in leases)
    return {
        "devices": [
            {"name": device.name, "model": device.model, "shares": device.shares}
            for device in devices
        ],
        "free": free,
        "total": len(devices),
        "waiting": waiting,
        "says": _sentence(free, len(devices), waiting),
        "leases": [lease.to_json() for lease in leases if _is_seen(actor, lease)],
    }


def end_lease(gateway: Gateway, actor: Actor, lease: str) -> Lease:
    """Take a lease back: one's own, or anybody's for an administrator; returns it ended.

    Raises:
        SignInError: Nobody is signed in.
        NotFoundError: There is no such lease, or it is somebody else's.
    """
    require_person(actor)
    found = find_lease(gateway, lease)
    if not _is_seen(actor, found):
        raise NotFoundError(f"there is no lease {lease!r} of yours; see /gpus")
    ended = take_back(gateway, lease, f"taken back by {actor.name}")
    if found.person != actor.person:
        note(gateway, actor, "lease taken back", lease=lease, person=found.person)
    return ended


def _is_seen(actor: Actor, lease: Lease) -> bool:
    return actor.administrator or lease.person == actor.person


def _sentence(free: int, total: int, waiting: int) -> str:
    if not total:
        return "This gateway lends no GPU."
    line = f"; {waiting} wait" + ("s" if waiting == 1 else "") if waiting else ""
    return f"{free} of {total} GPUs free{line}"
