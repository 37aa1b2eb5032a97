"""How a volume is cut: its levels, chunks and shards, chosen in one place."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gateway.errors import AlignmentError
from gateway.volumes.box import Box, Shape, Vector, cut_boxes
from gateway.volumes.model import Level, VolumeInfo

CELL = 64
"""Edge of the cubes whose content is hashed; shards and pieces are whole in these."""

_LARGEST_SHARD_BYTES = 256 * 2**20
_LARGEST_CHUNK_BYTES = 256 * 2**10
_SMALLEST_SHARD_VOXELS = 128**3
_TASKS_WANTED = 16
_MEMORY_PER_SHARD = 24
_COARSEST_EXTENT = 128
_NEAR_ISOTROPIC = 1.5
_SLAB_SHARE = 1.6
"""A slab of the input, this many times, must fit in the memory of a run."""


def choose_layout(
    info: VolumeInfo, memory_bytes: int = 2_000_000_000, read_unit: Shape = (1, 1, 1)
) -> tuple[Level, ...]:
    """Choose levels, chunks and shards for a volume.

    Chunks hold 64³ voxels, those of images at most 256 KiB of them: what a viewer asks for at
    once, and what a small cut-out decodes beside what was wanted, stay small. Shards grow evenly
    in micrometres until they meet a share of `memory_bytes`, 256 MiB, or a sixteenth of the
    volume, so that all workers have some. Each level halves the axes that are finer than the
    coarsest one, then all, until none has more than 128 voxels.

    Args:
        info: Shape, dtype, voxel size and channels; its `levels` are ignored.
        memory_bytes: What the whole process tree of a run may use.
        read_unit: What the input of the volume gives at once, such as a plane: shards are then
            laid along it first.
    """
    limit = _shard_voxels(info, memory_bytes)
    unit = _unit(info.shape)
    first = _along(info, unit, read_unit, limit, memory_bytes)
    shard = _shard(info.shape, info.voxel_um, first, limit, unit)
    base = Level(
        path="0",
        shape=info.shape,
        factor=(1, 1, 1),
        voxel_um=info.voxel_um,
        origin_um=info.origin_um,
        chunk=_chunk(info, unit, info.voxel_um),
        shard=shard,
    )
    levels = [base]
    while max(levels[-1].shape) > _COARSEST_EXTENT:
        levels.append(_next_level(info, levels, limit))
    return tuple(levels)


def derived_count(levels: tuple[Level, ...]) -> int:
    """Count the levels after level 0 that the task of a level 0 shard writes with it.

    A level is derived where the piece under one level 0 shard is whole in cells and in the
    level's own shards, or covers the axis, and all finer levels are derived too.
    """
    count = 0
    for level in levels[1:]:
        if not _is_derived(levels[0], level):
            break
        count += 1
    return count


def level_box(level: Level, box: Box) -> Box:
    """Return the voxels of `level` that lie over a box of level 0."""
    z, y, x = (a // f for a, f in zip(box.start, level.factor, strict=True))
    stop = (-(-b // f) for b, f in zip(box.stop, level.factor, strict=True))
    return Box((z, y, x), _shape(map(min, stop, level.shape)))


def relative_factor(finer: Level, coarser: Level) -> Shape:
    """Return the voxels of `finer` per voxel of `coarser`, zyx."""
    return _shape(c // f for f, c in zip(finer.factor, coarser.factor, strict=True))


def shard_boxes(level: Level, within: Box | None = None) -> Iterator[Box]:
    """Cut a level, or a box of whole shards in it, into its shards, in C order."""
    return cut_boxes(within or Box.of_shape(level.shape), level.shard)


def check_aligned(level: Level, box: Box, name: str) -> None:
    """Refuse a box that does not cover whole shards of `level`.

    Raises:
        AlignmentError: Names the box, the shard and the nearest box that is whole.
    """
    whole = Box.of_shape(level.shape)
    starts = (a // s * s for a, s in zip(box.start, level.shard, strict=True))
    stops = (
        min(n, max(1, -(-b // s)) * s)
        for b, s, n in zip(box.stop, level.shard, level.shape, strict=True)
    )
    nearest = Box(_shape(starts), _shape(stops)).intersect(whole)
    if nearest == box:
        return
    hint = f"the nearest box of whole shards is {nearest}" if nearest else f"it is outside {whole}"
    shard = " x ".join(map(str, level.shard))
    raise AlignmentError(
        f"box {box} of level {level.path} of {name} does not cover whole shards of {shard}; {hint}"
    )


def check_levels(info: VolumeInfo) -> None:
    """Refuse levels that no task could write whole.

    Raises:
        AlignmentError: A chunk does not divide its shard, or a shard is not whole in cells.
    """
    for level in info.levels:
        for chunk, shard, extent in zip(level.chunk, level.shard, level.shape, strict=True):
            whole = shard % CELL == 0 or shard >= extent
            if shard % chunk or not whole:
                raise AlignmentError(
                    f"level {level.path}: shard {level.shard} is not a multiple of chunk "
                    f"{level.chunk} and of {CELL} (or as long as the axis, {level.shape})"
                )


def _shard_voxels(info: VolumeInfo, memory_bytes: int) -> int:
    bytes_each = np.dtype(info.dtype).itemsize * len(info.channels)
    share = max(math.prod(info.shape) // _TASKS_WANTED, _SMALLEST_SHARD_VOXELS)
    largest = min(_LARGEST_SHARD_BYTES, memory_bytes // _MEMORY_PER_SHARD) // bytes_each
    return min(share, largest)


def _chunk(info: VolumeInfo, unit: Shape, voxel_um: Vector) -> Shape:
    """Halve the unit of shards, along the axis that is longest in micrometres, until it is small.

    Labels stay as they are: they pack to little, whatever their size.
    """
    chunk = list(unit)
    bytes_each = np.dtype(info.dtype).itemsize
    while info.kind == "image" and math.prod(chunk) * bytes_each > _LARGEST_CHUNK_BYTES:
        room = [axis for axis in range(3) if chunk[axis] >= CELL and chunk[axis] % 2 == 0]
        if not room:
            break
        axis = max(room, key=lambda a: chunk[a] * voxel_um[a])
        chunk[axis] //= 2
    return _shape(chunk)


def _unit(shape: Shape) -> Shape:
    """Return what shards are whole in: a cell, or as many voxels in a flat or thin volume."""
    chunk = [min(CELL, n) for n in shape]
    while True:
        room = [
            axis
            for axis in (2, 1, 0)
            if chunk[axis] < shape[axis] and chunk[axis] < CELL**2 and math.prod(chunk) < CELL**3
        ]
        fits = 2 * math.prod(chunk) <= CELL**3
        if not room or not fits:
            return _shape(chunk)
        axis = min(room, key=lambda a: chunk[a])
        chunk[axis] *= 2


def _along(info: VolumeInfo, chunk: Shape, unit: Shape, limit: int, memory_bytes: int) -> Shape:
    """Return the shard to begin with: two chunks high, so that a level is derived, then wide."""
    shard = list(chunk)
    if unit[1] <= chunk[1] and unit[2] <= chunk[2]:
        return chunk
    bytes_each = np.dtype(info.dtype).itemsize * len(info.channels)
    slab = 2 * chunk[0] * max(unit[1], 1) * max(unit[2], 1) * bytes_each
    goals = [
        (0, (2 if slab * _SLAB_SHARE <= memory_bytes else 1) * chunk[0]),
        (1, 2 * chunk[1]),
        (2, unit[2]),
        (1, unit[1]),
    ]
    for axis, goal in goals:
        cover = -(-info.shape[axis] // chunk[axis]) * chunk[axis]
        while shard[axis] < min(goal, cover) and 2 * math.prod(shard) <= limit:
            shard[axis] = min(2 * shard[axis], cover)
    return _shape(shard)


def _shard(
    shape: Shape, voxel_um: Vector, first: Shape, limit: int, chunk: Shape | None = None
) -> Shape:
    chunk = chunk or first
    shard = list(first)
    while True:
        room = [axis for axis in (2, 1, 0) if shard[axis] < shape[axis]]
        if not room or 2 * math.prod(shard) > limit:
            return _shape(shard)
        axis = min(room, key=lambda a: shard[a] * voxel_um[a])
        cover = -(-shape[axis] // chunk[axis]) * chunk[axis]
        shard[axis] = min(2 * shard[axis], cover)


def _next_level(info: VolumeInfo, levels: list[Level], limit: int) -> Level:
    base, last = levels[0], levels[-1]
    coarsest = max(
        (um for um, n in zip(last.voxel_um, last.shape, strict=True) if n > 1),
        default=max(last.voxel_um),
    )
    fine = [
        n > 1 and um * _NEAR_ISOTROPIC <= coarsest
        for um, n in zip(last.voxel_um, last.shape, strict=True)
    ]
    halve = fine if any(fine) else [n > 1 for n in last.shape]
    factor = _shape(f * (2 if h else 1) for f, h in zip(last.factor, halve, strict=True))
    level = scaled_level(base, str(len(levels)), factor)
    unit = _unit(level.shape)
    chunk = _chunk(info, unit, level.voxel_um)
    piece = _shape(
        cover if s >= n else s // f
        for s, n, f, cover in zip(
            base.shard, base.shape, factor, _round_up(level.shape, unit), strict=True
        )
    )
    derived = replace(level, chunk=chunk, shard=piece)
    if derived_count((*levels, derived)) == len(levels) and _divides(unit, piece):
        return derived
    return replace(level, chunk=chunk, shard=_shard(level.shape, level.voxel_um, unit, limit))


def scaled_level(base: Level, path: str, factor: Shape) -> Level:
    """Return the level of `base` reduced by `factor`, with the shape, place and voxels it has.

    Voxel (0, 0, 0) of a reduced level is the mean of `factor` voxels, so its centre lies
    (factor - 1) / 2 voxels of level 0 further in.
    """
    z, y, x = (um * f for um, f in zip(base.voxel_um, factor, strict=True))
    origin = tuple(
        o + (f - 1) / 2 * um for o, f, um in zip(base.origin_um, factor, base.voxel_um, strict=True)
    )
    return replace(
        base,
        path=path,
        shape=_shape(-(-n // f) for n, f in zip(base.shape, factor, strict=True)),
        factor=factor,
        voxel_um=(z, y, x),
        origin_um=(origin[0], origin[1], origin[2]),
    )


def _is_derived(base: Level, level: Level) -> bool:
    return all(
        sk >= nk if s0 >= n0 else s0 % f == 0 and (s0 // f) % CELL == 0 and (s0 // f) % sk == 0
        for s0, n0, sk, nk, f in zip(
            base.shard, base.shape, level.shard, level.shape, level.factor, strict=True
        )
    )


def _divides(chunk: Shape, shard: Shape) -> bool:
    return all(s % c == 0 for c, s in zip(chunk, shard, strict=True))


def _round_up(shape: Shape, chunk: Shape) -> Shape:
    return _shape(-(-n // c) * c for n, c in zip(shape, chunk, strict=True))


def _shape(values: "Iterator[int] | list[int] | map[int]") -> Shape:
    z, y, x = values
    return (z, y, x)
