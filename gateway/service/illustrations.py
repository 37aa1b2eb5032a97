"""Draws what the demo made: projections, outlines, seams, histograms, provenance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo.pictures import (
    Rings,
    choose_scale_bar,
    choose_window,
    draw_image,
    draw_labels,
    draw_overlay,
)
from gateway.records.runs import RunRecord
from gateway.service.charts import Node, draw_graph, draw_histogram
from gateway.service.projections import Projections, project
from gateway.service.report import Chart, Picture
from gateway.service.results import Results
from gateway.service.seams import Positions, choose_seam, view_seam
from gateway.volumes.box import Shape
from gateway.volumes.tiles import TileGrid

_CLOSE_UP, _NEAR_PLANES = 200, 2
_WIDTH = 1500
_RING = 1.15
"""Radius of a ring per radius of a nucleus: it should not hide the rim."""


def draw_pictures(things: Results, diameter_um: float) -> list[Picture]:
    """Draw the brain from above with and without rings, outlines close up, and from the side."""
    seen = project(things.brain)
    window = choose_window(seen.top)
    bar = choose_scale_bar(seen.top.shape[1], seen.level.voxel_um[2])
    return [
        Picture(
            title="The stitched brain from above, every nucleus ringed",
            caption="Maximum projection along z. The colour of a ring is its depth, from dark to "
            "bright.",
            png=draw_ringed(seen, things.centres_um, diameter_um),
        ),
        Picture(
            title="The same without rings",
            caption="Maximum projection along z: no seam should be seen.",
            png=draw_image(seen.top, window=window, scale_bar=bar, width=_WIDTH),
        ),
        _mask_picture(things, window),
        _side_picture(seen),
    ]


def draw_half_ringed(things: Results, diameter_um: float, width: int) -> bytes:
    """Draw the brain from above, a ring around every nucleus of the right half, as a PNG."""
    seen = project(things.brain)
    return draw_ringed(seen, things.centres_um, diameter_um, width=width, from_share=0.5)


def draw_ringed(
    seen: Projections,
    centres_um: NDArray[np.float64],
    diameter_um: float,
    *,
    width: int = _WIDTH,
    from_share: float = 0.0,
) -> bytes:
    """Draw a volume from above with a ring around each centre, as a PNG.

    Args:
        seen: The volume, projected.
        centres_um: Rows zyx.
        diameter_um: How large a nucleus is.
        width: Pixels of the longer side.
        from_share: Only centres right of this share of the width have a ring.
    """
    pixel_um = seen.level.voxel_um[2]
    at = seen.pixels(centres_um)
    at = at[at[:, 2] >= from_share * seen.top.shape[1] - 1]
    radius = diameter_um / 2 / pixel_um * _RING
    return draw_image(
        seen.top,
        window=choose_window(seen.top),
        rings=Rings(centres=at[:, 1:], radius=radius, values=at[:, 0]),
        scale_bar=choose_scale_bar(seen.top.shape[1], pixel_um),
        width=width,
    )


def _side_picture(seen: Projections) -> Picture:
    """Draw the view from the side, stretched so that a micrometre is as long as across."""
    depth = seen.side.shape[0]
    stretch = seen.level.voxel_um[0] / seen.level.voxel_um[2]
    rows = np.minimum((np.arange(round(depth * stretch)) / stretch).astype(int), depth - 1)
    side = seen.side[rows]
    return Picture(
        title="From the side",
        caption="Maximum projection along y, z downwards.",
        png=draw_image(side, window=choose_window(side)),
    )


def _mask_picture(things: Results, window: tuple[float, float]) -> Picture:
    """Draw the outlines where most nuclei are."""
    info = things.brain.info
    at = (things.centres_um - np.asarray(info.origin_um)) / np.asarray(info.voxel_um)
    plane, corner = _densest(at, info.shape)
    rows, across = (slice(start, start + _CLOSE_UP) for start in corner)
    return Picture(
        title="Outlines in one plane",
        caption=f"A part of plane {plane}, enlarged; each nucleus has a colour of its own.",
        png=draw_labels(
            things.brain[0, 0, plane, rows, across],
            things.masks[0, 0, plane, rows, across],
            window=window,
        ),
    )


def _densest(at: NDArray[np.float64], shape: Shape) -> tuple[int, tuple[int, int]]:
    """Return the plane and the corner of the close-up that hold most centres."""
    if not len(at):
        return shape[0] // 2, (0, 0)
    depth = shape[0]
    planes = np.bincount(np.clip(np.rint(at[:, 0]).astype(int), 0, depth - 1), minlength=depth)
    # near the top and the bottom, nuclei are cut
    plane = depth // 4 + int(planes[depth // 4 : depth - depth // 4].argmax())
    near = at[np.abs(at[:, 0] - plane) <= _NEAR_PLANES]
    step = _CLOSE_UP // 2
    edges = [np.arange(0, max(n, _CLOSE_UP) + step, step) for n in shape[1:]]
    counts, *_ = np.histogram2d(near[:, 1], near[:, 2], edges)
    full = counts[:-1, :-1] + counts[1:, :-1] + counts[:-1, 1:] + counts[1:, 1:]
    row, column = np.unravel_index(int(full.argmax()), full.shape)
    corner = (int(row) * step, int(column) * step)
    return plane, (
        min(corner[0], max(0, shape[1] - _CLOSE_UP)),
        min(corner[1], max(0, shape[2] - _CLOSE_UP)),
    )


def draw_seams(grid: TileGrid, stage: Positions, placed: Positions) -> Iterable[Picture]:
    """Draw the two tiles that were moved farthest, where they overlap, before and after.

    Args:
        grid: The tiles.
        stage: Where the stage says they are.
        placed: Where they were placed.
    """
    pair = choose_seam(grid, stage, placed)
    if pair is None:
        return
    names = " and ".join(grid.tiles[index].file for index in pair)
    for title, positions in (("As the stage says", stage), ("As stitched", placed)):
        view = view_seam(grid, pair, positions)
        if view is not None:
            png = draw_overlay(view.first, view.second, window=choose_window(view.first))
            yield Picture(title=title, caption=f"{names}, three planes in the middle.", png=png)


def draw_charts(things: Results) -> Iterable[Chart]:
    """Draw histograms of what was measured."""
    for title, unit, table, column in (
        ("Diameter", "equivalent diameter (µm)", things.regions, "diameter_um"),
        (
            "Brightness",
            "mean intensity inside the outline",
            things.regions,
            _first(things.regions, "mean_"),
        ),
        ("Contrast", "contrast to the surroundings", things.nuclei, "contrast"),
        ("Depth", "z (µm)", things.nuclei, "z_um"),
    ):
        if column in table:
            yield Chart(title=title, svg=draw_histogram(table[column], unit=unit))


def _first(table: Mapping[str, NDArray[Any]], prefix: str) -> str:
    """Return the first column that begins so: that of the first channel."""
    return next((name for name in table if name.startswith(prefix)), "")


def draw_provenance(records: Sequence[RunRecord]) -> str:
    """Draw runs and what they took and gave, from their records alone."""
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    for record in sorted(records, key=lambda record: record.started):
        if record.sources:
            size = sum(source.size for source in record.sources) / 1e6
            key = f"files of {record.id}"
            nodes[key] = Node(key, f"{len(record.sources)} files", f"{size:.1f} MB", "thing")
            edges.append((key, record.id))
        for port in record.inputs:
            if port.kind == "file":
                continue  # shown as the files that were read
            nodes.setdefault(port.ref, Node(port.ref, port.ref, port.kind, "thing"))
            edges.append((port.ref, record.id))
        took = f"{record.version}, {record.wall_s or 0:.1f} s"
        nodes[record.id] = Node(record.id, record.tool, took, "run")
        for port in record.outputs:
            nodes[port.ref] = Node(port.ref, port.ref, port.kind, "thing")
            edges.append((record.id, port.ref))
    return draw_graph(list(nodes.values()), edges)
