"""Charts as inline SVG that take their colours from the page: histograms and provenance graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _LEFT, _BELOW = 460, 220, 44, 34
_WHOLE = 1000
"""From here on, no digits behind the point."""
_BOX_WIDTH, _BOX_HEIGHT, _GAP_X, _GAP_Y = 200, 46, 22, 34


@dataclass(frozen=True, slots=True)
class Node:
    """One box of a provenance graph."""

    key: str
    title: str
    detail: str
    kind: str
    """`thing` or `run`; decides its colour."""
    href: str | None = None
    """Where it leads."""


def draw_histogram(values: NDArray[Any], *, unit: str, bins: int = 32) -> str:
    """Return a histogram of finite values between percentiles 0.5 and 99.5, as SVG.

    Args:
        values: What to count.
        unit: What stands below the axis.
        bins: How many bars.
    """
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return '<p class="quiet">nothing to draw</p>'
    low, high = np.percentile(finite, (0.5, 99.5))
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(finite, bins, (low, high))
    plot_width, plot_height = _WIDTH - _LEFT - 12, _HEIGHT - _BELOW - 12
    top = max(int(counts.max()), 1)
    bars = []
    for count, edge in zip(counts, edges, strict=False):
        x = _LEFT + (edge - low) / (high - low) * plot_width
        tall = count / top * plot_height
        bars.append(
            f'<rect class="bar" x="{x:.1f}" y="{12 + plot_height - tall:.1f}" '
            f'width="{plot_width / bins - 1:.1f}" height="{tall:.1f}"/>'
        )
    ground = 12 + plot_height
    marks = [
        f'<text x="{_LEFT + (t - low) / (high - low) * plot_width:.1f}" y="{ground + 15}" '
        f'text-anchor="middle">{t:g}</text>'
        for t in _ticks(low, high)
    ]
    marks += [
        f'<text x="{_LEFT - 6}" y="{16 + plot_height * (1 - t / top):.1f}" '
        f'text-anchor="end">{t:g}</text>'
        for t in _ticks(0, top)
    ]
    median = float(np.median(finite))
    at = _LEFT + (np.clip(median, low, high) - low) / (high - low) * plot_width
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="chart" '
        f'aria-label="histogram of {escape(unit)}, median {_figures(median)}">'
        f'{"".join(bars)}<line class="axis" x1="{_LEFT}" y1="{ground}" x2="{_WIDTH - 12}" '
        f'y2="{ground}"/><line class="median" x1="{at:.1f}" y1="8" x2="{at:.1f}" y2="{ground}"/>'
        f'<text class="strong" x="{at + 5:.1f}" y="18">median {_figures(median)}</text>'
        f"{''.join(marks)}"
        f'<text x="{_LEFT + plot_width / 2:.0f}" y="{_HEIGHT - 3}" text-anchor="middle">'
        f"{escape(unit)}</text></svg>"
    )


def draw_graph(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> str:
    """Return a graph as SVG, causes above what they made, narrow enough for a phone.

    Args:
        nodes: The boxes.
        edges: Pairs of keys, cause first; the graph has no cycle.
    """
    ranks = _ranks([node.key for node in nodes], edges)
    rows: dict[int, list[Node]] = {}
    for node in nodes:
        rows.setdefault(ranks[node.key], []).append(node)
    widest = max((len(row) for row in rows.values()), default=0)
    width = widest * (_BOX_WIDTH + _GAP_X) + _GAP_X
    places: dict[str, tuple[float, float]] = {}
    for rank, row in rows.items():
        free = (width - len(row) * (_BOX_WIDTH + _GAP_X) + _GAP_X) / 2
        for index, node in enumerate(row):
            places[node.key] = (
                free + index * (_BOX_WIDTH + _GAP_X),
                8.0 + rank * (_BOX_HEIGHT + _GAP_Y),
            )
    # a picture as one image hides what it holds from those who listen, links too
    role = "group" if any(node.href for node in nodes) else "img"
    height = 16 + (max(rows, default=0) + 1) * (_BOX_HEIGHT + _GAP_Y) - _GAP_Y
    lines = "".join(_edge(places[a], places[b], _rail(places, ranks, (a, b))) for a, b in edges)
    boxes = "".join(_box(node, places[node.key]) for node in nodes)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" '
        f'role="{role}" class="graph" aria-label="what was made from what"><defs>'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>{lines}{boxes}</svg>'
    )


def _figures(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


def _ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    raw = (high - low) / wanted
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= raw * 0.999)
    first = np.ceil(low / step) * step
    return [float(t) + 0.0 for t in np.arange(first, high + step / 100, step)]


def _ranks(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> Mapping[str, int]:
    """Return the length of the longest way that leads to each key."""
    ranks = dict.fromkeys(keys, 0)
    for _ in keys:
        for cause, effect in edges:
            ranks[effect] = max(ranks[effect], ranks[cause] + 1)
    return ranks


def _edge(start: tuple[float, float], stop: tuple[float, float], rail: float | None) -> str:
    """Draw an arrow from box to box; along a rail where it passes other boxes."""
    if rail is None:
        x0, y0 = start[0] + _BOX_WIDTH / 2, start[1] + _BOX_HEIGHT
        x1, y1 = stop[0] + _BOX_WIDTH / 2, stop[1] - 2
        middle = (y0 + y1) / 2
        way = f"M{x0:.0f} {y0:.0f}C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"
    else:
        x0, y0 = start[0], start[1] + _BOX_HEIGHT / 2
        x1, y1 = stop[0] - 2, stop[1] + _BOX_HEIGHT / 2
        way = (
            f"M{x0:.0f} {y0:.0f}Q{rail:.0f} {y0:.0f} {rail:.0f} {y0 + 20:.0f}"
            f"V{y1 - 20:.0f}Q{rail:.0f} {y1:.0f} {x1:.0f} {y1:.0f}"
        )
    return f'<path class="edge" marker-end="url(#tip)" d="{way}"/>'


def _rail(
    places: Mapping[str, tuple[float, float]], ranks: Mapping[str, int], edge: tuple[str, str]
) -> float | None:
    """Return where an arrow runs past the boxes between its ends; None where there are none."""
    cause, effect = edge
    passed = [
        places[key][0]
        for key, rank in ranks.items()
        if ranks[cause] <= rank <= ranks[effect] and key in places
    ]
    return min(passed) - 14 if ranks[effect] - ranks[cause] > 1 else None


def _box(node: Node, place: tuple[float, float]) -> str:
    x, y = place
    middle = x + _BOX_WIDTH / 2
    box = (
        f'<g class="{escape(node.kind)}"><rect x="{x:.0f}" y="{y:.0f}" width="{_BOX_WIDTH}" '
        f'height="{_BOX_HEIGHT}" rx="8"/><text class="strong" x="{middle:.0f}" y="{y + 20:.0f}" '
        f'text-anchor="middle">{escape(node.title)}</text><text x="{middle:.0f}" '
        f'y="{y + 37:.0f}" text-anchor="middle">{escape(node.detail)}</text></g>'
    )
    return f'<a href="{escape(node.href)}">{box}</a>' if node.href else box
