"""Turns what differs in a volume from its record into faults of files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.volumes.box import Box
from gateway.volumes.integrity import Finding, check_record, check_shards
from gateway.volumes.volume import Volume

Progress = Callable[[int], None]
"""Told the number of voxels checked since it was last called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A file whose content differs from what was recorded."""

    file: str
    """Key in the store."""
    what: str
    ref: str | None = None
    level: int | None = None
    box: str | None = None
    """The first damaged voxels: `z0:z1,y0:y1,x0:x1` in the grid of `level`."""

    def __str__(self) -> str:
        """Say in one line which file is damaged, where, and how."""
        place = "" if self.level is None else f" (level {self.level}, box {self.box})"
        return f"{self.file}{place}: {self.what}"


def count_voxels(volume: Volume) -> int:
    """Return the number of voxels of all levels, channels and times."""
    each = sum(Box.of_shape(level.shape).voxels for level in volume.info.levels)
    return each * len(volume.info.channels) * volume.info.times


def check_volume(
    volume: Volume, ref: str, *, threads: int = 1, progress: Progress = lambda _: None
) -> Iterator[Fault]:
    """Check metadata, cell hashes and every voxel of a volume; yield a fault per damaged file.

    Args:
        volume: The volume.
        ref: Its name, for the faults.
        threads: How many shards to read and hash at once.
        progress: Told how far the check is.
    """
    for finding in check_record(volume):
        yield _fault(ref, (finding,))
    for shard in check_shards(volume, threads=threads):
        progress(shard.voxels)
        if shard.findings:
            yield _fault(ref, shard.findings)


def _fault(ref: str, findings: tuple[Finding, ...]) -> Fault:
    first = findings[0]
    more = f", and {len(findings) - 1} more cells in this file" if len(findings) > 1 else ""
    return Fault(
        file=first.file,
        what=f"{first.reason}{more}",
        ref=ref,
        level=first.level,
        box=str(first.box),
    )
