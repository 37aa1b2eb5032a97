"""`gateway leases`: who holds which GPU."""

from collections.abc import Iterable
from typing import get_args

import click

from gateway.cli.answer import answer, columns, note
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.leases.command import own_name, run_on_devices
from gateway.service.leases.containers import reclaim_here
from gateway.service.leases.ending import take_back
from gateway.service.leases.holding import Wanted
from gateway.service.leases.inventory import take_inventory
from gateway.service.leases.ledger import list_leases
from gateway.service.leases.model import Device, Lease, Purpose


@click.group("leases")
@shared_options
def command() -> None:
    """See who holds which GPU, hold one for a command, and take one back."""


@command.command("list")
@click.option("--ended", type=click.IntRange(0), default=0, help="Also the last that ended.")
@shared_options
@pass_shared
def show(shared: Shared, ended: int) -> None:
    """List the GPUs there are, who holds them and who waits."""
    with opened(shared) as gateway:
        devices = take_inventory(gateway)
        reclaim_here(gateway)
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
    """Take the GPUs of LEASE back: what uses them is asked to stop, then ended."""
    with opened(shared) as gateway:
        ended = take_back(gateway, lease, "revoked by an administrator")
    answer(ended.to_json(), [f"{lease}: {ended.sentence()}"], as_json=shared.json)


@command.command("hold", context_settings={"ignore_unknown_options": True})
@click.option("--gpus", type=click.IntRange(1), default=1, help="How many GPUs.")
@click.option("--share", is_flag=True, help="A share of each is enough.")
@click.option("--person", help="For whom; without it, for who works in this home.")
@click.option(
    "--purpose", type=click.Choice(get_args(Purpose)), default="run", help="What they are for."
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@shared_options
@pass_shared
def hold(
    shared: Shared,
    *,
    gpus: int,
    share: bool,
    person: str | None,
    purpose: Purpose,
    words: tuple[str, ...],
) -> int:
    """Run COMMAND on GPUs that nobody else has meanwhile.

    It waits in line, runs with CUDA_VISIBLE_DEVICES and GATEWAY_LENT (CDI names) set, and gives
    them back however it ends. The exit status is the command's.
    """
    with opened(shared) as gateway:
        wanted = Wanted(
            person=person or own_name(gateway), purpose=purpose, devices=gpus, whole=not share
        )
        return run_on_devices(
            gateway,
            wanted,
            words,
            waits=lambda lease: note(f"waiting: {lease.sentence()}"),
            got=lambda lease: note(f"lease {lease.id}: {lease.sentence()}"),
            lost=lambda reason: note(f"the command is ended: {reason}"),
        )


def _lines(devices: Iterable[Device], leases: Iterable[Lease]) -> Iterable[str]:
    names = [device.name for device in devices]
    yield (
        f"{len(names)} GPU(s): {', '.join(names)}"
        if names
        else ("no GPU: the NVIDIA driver knows none, and the setting devices names none")
    )
    rows = [(one.id, one.person, one.purpose, one.status, one.sentence()) for one in leases]
    yield from columns(rows)
