"""Turns what all pairs of a grid gave into positions and brightness: the merge of stitching."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo.flatfield import (
    Illumination,
    OverlapSamples,
    flat_illumination,
    sample_overlap,
    solve_illumination,
)
from gateway.algo.pair_shift import CANDIDATES, Candidate
from gateway.algo.placement import PairTable, place_tiles
from gateway.algo.tile_overlap import Index, TilePair

Arrays = Mapping[str, NDArray[Any]]

_CANDIDATE = ("shift", "deviation", "score", "correlation", "confidence")
_SAMPLE = ("sample_channel", "sample_place", "sample_mean", "sample_voxels")


def pack_pair(index: int, candidates: list[Candidate], samples: list[Arrays]) -> Arrays:
    """Return what one pair gave as arrays: its candidates, and brightness by channel.

    Args:
        index: Of the pair.
        candidates: Displacements of the second tile, most believable first.
        samples: Per channel what `sample_channel` gave.
    """
    count = CANDIDATES
    packed: dict[str, NDArray[Any]] = {
        "pair": np.asarray([index]),
        "shift": np.full((1, count, 3), np.nan),
        "deviation": np.ones((1, count, 3)),
        "score": np.zeros((1, count)),
        "correlation": np.zeros((1, count)),
        "confidence": np.zeros((1, count)),
    }
    for rank, candidate in enumerate(candidates[:count]):
        for name in _CANDIDATE:
            packed[name][0, rank] = getattr(candidate, name)
    empty = _no_samples()
    for name in _SAMPLE:
        packed[name] = np.concatenate([empty[name], *(s[name] for s in samples)])
    packed["sample_pair"] = np.full(len(packed["sample_voxels"]), index)
    return packed


def sample_channel(
    channel: int,
    views: tuple[NDArray[np.generic], NDArray[np.generic]],
    starts: tuple[Index, Index],
    shapes: tuple[Index, Index],
) -> Arrays:
    """Return mean intensities of the overlap in both tiles, bin by bin.

    Args:
        channel: Index of the channel.
        views: The overlap as the first and the second tile show it, zyx.
        starts: First voxel of the overlap in each tile.
        shapes: Shape of each tile.
    """
    place, mean, voxels = sample_overlap(*views, starts, shapes)
    return {
        "sample_channel": np.full(len(voxels), channel),
        "sample_place": place,
        "sample_mean": mean,
        "sample_voxels": voxels,
    }


def solve_grid(
    nominal: NDArray[np.float64],
    pairs: list[TilePair],
    parts: Iterable[Arrays],
    *,
    channels: int,
    min_confidence: float,
) -> Arrays:
    """Place all tiles and fit their brightness.

    Args:
        nominal: Stage positions, voxels, `(tiles, 3)`.
        pairs: All pairs that were measured.
        parts: What `pack_pair` gave, in any order and grouping.
        channels: Channels to correct; 0 corrects none.
        min_confidence: Cut on the confidence of a pair.

    Returns:
        Arrays by tile (`position`, `measured`), by pair (`tiles`, `shift`, `residual`,
        `confidence`, `correlation`, `score`, `deviation`, `candidate`, `in_cycle`) and by channel
        (`gain`, `vignette`).
    """
    joined = _join(parts)
    ends = np.asarray([(p.first, p.second) for p in pairs], np.int64).reshape(-1, 2)
    table = PairTable(
        tiles=ends,
        **{name: joined[name] for name in ("shift", "deviation", "score", "confidence")},
    )
    placed = place_tiles(nominal, table, min_confidence=min_confidence)
    rows, shown = np.arange(len(pairs)), np.maximum(placed.chosen, 0)
    by_pair = {name: joined[name][rows, shown] for name in _CANDIDATE}
    fields = [
        _illumination(len(nominal), ends, joined, placed.chosen == 0, channel)
        for channel in range(channels)
    ]
    flat = flat_illumination(len(nominal))
    return {
        "position": placed.positions,
        "measured": placed.measured,
        "tiles": ends,
        **by_pair,
        "residual": placed.residual,
        "candidate": placed.chosen,
        "in_cycle": placed.in_cycle,
        "gain": np.stack([f.gain for f in fields or [flat]]),
        "vignette": np.stack([f.vignette for f in fields or [flat]]),
    }


def _illumination(
    tiles: int, ends: NDArray[np.int64], joined: Arrays, used: NDArray[np.bool_], channel: int
) -> Illumination:
    # samples were taken where the best candidate aligns the tiles: others would compare unlike
    pair = joined["sample_pair"]
    mine = (joined["sample_channel"] == channel) & used[pair]
    samples = OverlapSamples(
        tiles=ends[pair[mine]],
        place=joined["sample_place"][mine],
        mean=joined["sample_mean"][mine],
        voxels=joined["sample_voxels"][mine],
    )
    return solve_illumination(tiles, samples)


def _join(parts: Iterable[Arrays]) -> dict[str, NDArray[Any]]:
    """Concatenate and sort by pair, so that order and grouping of the parts do not matter."""
    blank = dict(pack_pair(0, [], []))
    gathered = [{name: array[:0] for name, array in blank.items()}, *parts]
    joined = {name: np.concatenate([part[name] for part in gathered]) for name in blank}
    for key in ("pair", "sample_pair"):
        order = np.argsort(joined[key], kind="stable")
        names = [n for n in joined if n.startswith("sample_") == key.startswith("sample_")]
        for name in names:
            joined[name] = joined[name][order]
    return joined


def _no_samples() -> dict[str, NDArray[Any]]:
    return {
        "sample_channel": np.zeros(0, np.int64),
        "sample_place": np.zeros((0, 2, 2)),
        "sample_mean": np.zeros((0, 2)),
        "sample_voxels": np.zeros(0, np.int64),
    }
