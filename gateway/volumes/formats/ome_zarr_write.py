"""Writing OME-Zarr 0.5: a volume of the gateway's own kind, with all levels, wherever it is put."""

from itertools import product
from pathlib import Path

from gateway.errors import FormatError
from gateway.volumes.digest import Cells
from gateway.volumes.formats.format import Excerpt
from gateway.volumes.layout import shard_boxes
from gateway.volumes.local_store import LocalStore
from gateway.volumes.writer import VolumeWriter, create_volume

_MEMORY_BYTES = 1_000_000_000


def write_ome_zarr(excerpt: Excerpt, path: Path) -> None:
    """Write shard by shard, then the coarse levels that need more than one shard.

    Raises:
        FormatError: Nobody says how to reduce voxels for the coarse levels.
    """
    if excerpt.reduce is None:
        raise FormatError(f"{path}: coarse levels need a way to reduce voxels; none was given")
    store = LocalStore(path.parent)
    writer = create_volume(
        store, path.name, excerpt.info, excerpt.reduce, memory_bytes=_MEMORY_BYTES
    )
    writer.finish(_cells(excerpt, writer))


def _cells(excerpt: Excerpt, writer: VolumeWriter) -> list[Cells]:
    info = writer.info
    boxes = list(shard_boxes(info.levels[0]))
    moments = list(product(range(info.times), boxes))
    cells = []
    for done, (time, box) in enumerate(moments, start=1):
        place = box.shift(excerpt.box.start)
        voxels = excerpt.source.read(place, level=excerpt.level, time=time)
        cells.append(writer.write(box, voxels, time=time))
        excerpt.progress(done, len(moments))
    for number in range(writer.derived + 1, len(info.levels)):
        for time, box in product(range(info.times), shard_boxes(info.levels[number])):
            cells.append(writer.write_level(number, box, time=time))
    return cells
