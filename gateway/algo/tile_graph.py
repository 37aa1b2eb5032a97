"""Tiles as nodes, pairs as edges: which hang together, and which pair alone holds a part."""

import numpy as np
from numpy.typing import NDArray


def find_groups(tiles: int, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a label per tile, equal for tiles that pairs link; labels count up from 0.

    Args:
        tiles: Number of tiles.
        ends: First and second tile of each pair, `(pairs, 2)`.
    """
    parent = list(range(tiles))

    def root(tile: int) -> int:
        while parent[tile] != tile:
            parent[tile] = parent[parent[tile]]
            tile = parent[tile]
        return tile

    for first, second in ends.tolist():
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return np.unique([root(tile) for tile in range(tiles)], return_inverse=True)[1]


def find_bridges(tiles: int, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return per pair whether nothing else links its two sides (Tarjan's low points).

    Args:
        tiles: Number of tiles.
        ends: First and second tile of each pair, `(pairs, 2)`.
    """
    links: list[list[tuple[int, int]]] = [[] for _ in range(tiles)]
    for pair, (first, second) in enumerate(ends.tolist()):
        links[first].append((second, pair))
        links[second].append((first, pair))
    bridge = np.zeros(len(ends), bool)
    entered = [-1] * tiles
    low = [0] * tiles
    clock = 0
    for start in range(tiles):
        if entered[start] >= 0:
            continue
        entered[start] = low[start] = clock
        clock += 1
        path = [(start, -1, iter(links[start]))]
        while path:
            tile, came_by, rest = path[-1]
            step = next(rest, None)
            if step is None:
                path.pop()
                if path:
                    before = path[-1][0]
                    low[before] = min(low[before], low[tile])
                    bridge[came_by] = low[tile] > entered[before]
                continue
            other, pair = step
            if pair == came_by:
                continue
            if entered[other] >= 0:
                low[tile] = min(low[tile], entered[other])
                continue
            entered[other] = low[other] = clock
            clock += 1
            path.append((other, pair, iter(links[other])))
    return bridge
