"""`gateway leases`: who holds which GPU."""

from collections.abc import Iterable

import click

from gateway.cli.answer import answer, columns
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.leases.inventory import find_devices
from gateway.service.leases.ledger import give_back, list_leases, set_devices
from gateway.service.leases.liveness import reclaim_dead
from gateway.service.leases.model import Device, Lease


@click.group("leases")
@shared_options
def command() -> None:
    """See who holds which GPU, and take one back."""


@command.command("list")
@click.option("--ended", type=click.IntRange(0), default=0, help="Also the last that ended.")
@shared_options
@pass_shared
def show(shared: Shared, ended: int) -> None:
    """List the GPUs there are, who holds them and who waits."""
    with opened(shared) as gateway:
        devices = find_devices(gateway)
        set_devices(gateway, devices)
        reclaim_dead(gateway)
        leases = list_leases(gateway, ended=ended)
    data = {
        "devices": [device.name for device in devices],
        "leases": [lease.to_json() for lease in leases],
    }
    answer(data, _lines(devices, leases), as_json=shared.json)


@command.command("revoke")
@click.argument("lease")
@shared_options
@pass_shared
def revoke(shared: Shared, lease: str) -> None:
    """Take the GPUs of LEASE back; what used them learns it at its next heartbeat."""
    with opened(shared) as gateway:
        ended = give_back(gateway, lease, "revoked by an administrator")
    answer(ended.to_json(), [f"{lease}: {ended.sentence()}"], as_json=shared.json)


def _lines(devices: Iterable[Device], leases: Iterable[Lease]) -> Iterable[str]:
    names = [device.name for device in devices]
    yield (
        f"{len(names)} GPU(s): {', '.join(names)}"
        if names
        else ("no GPU: the NVIDIA driver knows none, and the setting devices names none")
    )
    rows = [(one.id, one.person, one.purpose, one.status, one.sentence()) for one in leases]
    yield from columns(rows)
