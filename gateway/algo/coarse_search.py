"""Compares overlaps too large to hold: a search over binned voxels, then probes at full detail."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo.pair_shift import Candidate, measure_shift
from gateway.algo.phase_correlation import SCALES, flatten_content, keep_band
from gateway.algo.tile_overlap import Index, Strips

Read = Callable[[Index, Index], NDArray[Any]]
"""Reads the box of a tile from a first voxel to a last one, the last left out."""

LARGEST_STRIP = 3_000_000
"""Voxels of a strip that is compared whole."""
_PROBE: Index = (64, 160, 160)
_PROBES = 3
_FOLLOWED = 3
"""Coarse candidates looked at in full detail."""
_PLACES = (3, 5, 5)  # where along each axis of the overlap a probe may lie
_AGREE = 1.0  # voxels


@dataclass(frozen=True, slots=True, kw_only=True)
class TileView:
    """One tile of a pair: how to read it, and its strip."""

    read: Read
    shape: Index
    start: Index
    stop: Index


def measure_pair(
    first: TileView,
    second: TileView,
    displacement: Index,
    window: Index,
    *,
    largest: int = LARGEST_STRIP,
) -> list[Candidate]:
    """Return the displacements that two tiles may have, most believable first.

    Args:
        first: The tile whose frame counts.
        second: The other one.
        displacement: Where the search is centred, tile against tile.
        window: How far it goes either way.
        largest: Voxels of a strip that is compared whole; larger ones are binned first.
    """
    factor = choose_factor((first, second), largest)
    if factor == (1, 1, 1):
        offset = _index(np.subtract(second.start, first.start))
        centre = _index(np.add(displacement, offset))
        strips = [view.read(view.start, view.stop) for view in (first, second)]
        return [c.moved(offset) for c in measure_shift(strips[0], strips[1], centre, window)]
    coarse = [read_binned(view, factor) for view in (first, second)]
    apart = np.subtract(second.start, first.start)
    middle = _index(np.rint(np.add(displacement, apart) / factor))
    reach = _index(-(-np.asarray(window) // factor) + 1)
    found = measure_shift(coarse[0], coarse[1], middle, reach)[:_FOLLOWED]
    detail = keep_band(flatten_content(coarse[0]), SCALES[1]) ** 2
    fine = []
    for candidate in found:
        moved = np.rint(np.multiply(candidate.shift, factor) - apart).astype(np.int64)
        probes = choose_probes(first, second, _index(moved), detail, factor)
        best = _probe(first, second, _index(moved), probes, factor)
        if best is not None:
            confidence = max(candidate.confidence, best.confidence)
            fine.append(
                replace(best, confidence=confidence, score=max(candidate.score, best.score))
            )
    return fine


def strip_views(
    strips: Strips, shapes: tuple[Index, Index], reads: tuple[Read, Read]
) -> tuple[TileView, TileView]:
    """Return both tiles of a pair with the strips to compare."""
    first = TileView(
        read=reads[0], shape=shapes[0], start=strips.first_start, stop=strips.first_stop
    )
    second = TileView(
        read=reads[1], shape=shapes[1], start=strips.second_start, stop=strips.second_stop
    )
    return first, second


def choose_factor(views: tuple[TileView, TileView], largest: int) -> Index:
    """Return the binning, powers of two, under which both strips have at most `largest` voxels."""
    extent = np.max([np.subtract(view.stop, view.start) for view in views], axis=0)
    factor = np.ones(3, np.int64)
    while np.prod(-(-extent // factor)) > largest:
        factor[(extent / factor).argmax()] *= 2
    return _index(factor)


def read_binned(view: TileView, factor: Index) -> NDArray[np.float32]:
    """Read a strip slab by slab and average it in bins; what fills no bin is left out."""
    counts = np.subtract(view.stop, view.start) // factor
    out = np.empty(counts, np.float32)
    _, y, x = (int(s) for s in np.add(view.start, counts * factor))
    for row in range(counts[0]):
        z = view.start[0] + row * factor[0]
        slab = view.read((z, *view.start[1:]), (z + factor[0], y, x))
        binned = slab.reshape(factor[0], counts[1], factor[1], counts[2], factor[2]).mean(
            axis=(0, 2, 4), dtype=np.float64
        )
        out[row] = binned
    return out


def choose_probes(
    first: TileView,
    second: TileView,
    displacement: Index,
    detail: NDArray[np.float32],
    factor: Index,
) -> list[tuple[Index, Index]]:
    """Return boxes of the first tile, inside the overlap, where there is most to see.

    Args:
        first: The tile whose frame counts.
        second: The other one.
        displacement: Of the second tile.
        detail: Squared detail of the first tile's binned strip.
        factor: Its binning.
    """
    low = np.maximum(0, displacement)
    high = np.minimum(first.shape, np.add(displacement, second.shape))
    if (high <= low).any():
        return []
    size = np.minimum(high - low, _PROBE)
    steps = [
        np.unique(np.linspace(a, b - n, count).astype(np.int64)).tolist()
        for a, b, n, count in zip(low, high, size, _PLACES, strict=True)
    ]
    rated = []
    for start in product(*steps):
        begin = np.subtract(start, first.start) // factor
        end = -(-(np.subtract(start, first.start) + size) // factor)
        spans = tuple(slice(max(a, 0), max(b, a + 1, 1)) for a, b in zip(begin, end, strict=True))
        part = detail[spans]
        rated.append((float(part.mean()) if part.size else 0.0, start))
    rated.sort(key=lambda item: (-item[0], item[1]))
    return [(_index(np.asarray(s)), _index(np.add(s, size))) for _, s in rated[:_PROBES]]


def _probe(
    first: TileView,
    second: TileView,
    displacement: Index,
    probes: list[tuple[Index, Index]],
    factor: Index,
) -> Candidate | None:
    """Search near a coarse displacement in each probe and join those that agree with the best."""
    reach = np.asarray(factor) + 1
    found: list[Candidate] = []
    for start, stop in probes:
        low = np.clip(np.subtract(start, displacement) - reach, 0, second.shape)
        high = np.clip(np.subtract(stop, displacement) + reach, 0, second.shape)
        if (high <= low).any():
            continue
        offset = _index(low - start)
        views = first.read(start, stop), second.read(_index(low), _index(high))
        centre = _index(np.add(displacement, offset))
        found += [c.moved(offset) for c in measure_shift(*views, centre, _index(reach))[:1]]
    if not found:
        return None
    best = max(found, key=lambda c: (c.confidence, c.score, c.shift))
    agree = [c for c in found if np.abs(np.subtract(c.shift, best.shift)).max() <= _AGREE]
    weight = np.asarray([1 / np.square(c.deviation) for c in agree])
    z, y, x = ((weight * [c.shift for c in agree]).sum(axis=0) / weight.sum(axis=0)).tolist()
    dz, dy, dx = (1 / np.sqrt(weight.sum(axis=0))).tolist()
    return replace(best, shift=(z, y, x), deviation=(dz, dy, dx))


def _index(values: NDArray[Any]) -> Index:
    z, y, x = (int(v) for v in values)
    return (z, y, x)
