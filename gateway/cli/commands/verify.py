"""`gateway verify DATASET`: check every byte of a dataset."""

from collections.abc import Iterable

import click

from gateway.cli.answer import answer
from gateway.cli.group import DONE, FAILED
from gateway.cli.opening import opened
from gateway.cli.progress import show_count
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.verification import Report, verify


@click.command("verify")
@click.argument("dataset")
@shared_options
@pass_shared
def command(shared: Shared, dataset: str) -> int:
    """Check every byte of a dataset against its digests.

    All voxels are decoded and hashed again, and all files held against their checksums. Exit code
    1 means that something is damaged; the answer names it.
    """
    with opened(shared) as gateway, show_count("verify") as progress:
        report = verify(gateway, dataset, progress=progress)
    answer(report.to_json(), _lines(report), as_json=shared.json)
    return DONE if report.ok else FAILED


def _lines(report: Report) -> Iterable[str]:
    for fault in report.faults:
        yield f"DAMAGED  {fault}"
    for file in report.unrecorded:
        yield f"no record covers {file}"
    outcome = "all as recorded" if report.ok else f"{len(report.faults)} DAMAGED"
    yield (
        f"{report.dataset}: {outcome} ({report.entries} things, {report.files} files, "
        f"{report.voxels / 1e6:.1f} Mvoxel, {report.wall_s:.1f} s)"
    )
