"""The tool `stitch`: a grid of microscope tiles becomes one volume."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gateway.algo.blending import Blend, face_weights, lay_canvas, meeting_tiles
from gateway.algo.coarse_search import LARGEST_STRIP, measure_pair, strip_views
from gateway.algo.flatfield import Illumination
from gateway.algo.grid_solution import pack_pair, sample_channel, solve_grid
from gateway.algo.stitch_report import GridReport, write_csv, write_html, write_json
from gateway.algo.stitch_seams import Seam, choose_seams, draw_seams, seam_window
from gateway.algo.tile_layout import TileLayout, plan_layout
from gateway.algo.tile_overlap import TilePair
from gateway.errors import CallError
from gateway.toolkit.define import tool
from gateway.toolkit.passes import Arrays, Blocks, Items, Pass, Passes, Work
from gateway.toolkit.ports import Image, Points, Tiles
from gateway.toolkit.spec import Example
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.model import VolumeInfo
from gateway.volumes.source import Source
from gateway.volumes.tiles import TileGrid

_PAIR_BYTES_PER_VOXEL = 90
_SAMPLED_VOXELS = 4_000_000
"""Voxels of an overlap whose brightness is compared; of a larger one, evenly spaced planes."""


class Stitched(NamedTuple):
    """What `stitch` gives."""

    image: Image
    """All tiles in one volume; its origin keeps the frame of the stage."""
    positions: Points
    """One row per tile: file, position of its first voxel (`z`, `y`, `x` in voxels of the stage's
    frame), confidence, residual, and whether neighbours had to place it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One call: the grid as the stage reports it, and the settings."""

    layout: TileLayout
    channel: int
    min_confidence: float
    blending: Literal["linear", "average"]
    correct_illumination: bool


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    edam=("operation_3443", "topic_3382"),
    doi=("10.1109/TASSP.1977.1162943", "10.1109/TIP.2011.2181402", "10.1109/LRA.2020.2965893"),
    examples=(
        Example(inputs={"tiles": "four_tiles"}, params={}, expect={"image": "", "positions": ""}),
    ),
)
def stitch(
    tiles: Tiles,
    *,
    channel: Annotated[int, Field(ge=0, le=1000)] = 0,
    max_shift_um: Annotated[float, Field(ge=0, le=100_000)] = 0.0,
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.2,
    blending: Literal["linear", "average"] = "linear",
    correct_illumination: bool = True,
) -> Passes[Stitched]:
    """Stitch a grid of overlapping tiles into one volume.

    Neighbouring tiles are compared where they overlap: phase correlation and normalised
    cross-correlation propose displacements near the stage's, a least-squares fit refines them to
    a fraction of a voxel, and each gets a confidence. Robust least squares over the whole grid
    drops what contradicts the rest. Tiles that no overlap places are moved like their neighbours
    and named in the report. Tiles are moved by whole voxels when they are joined, so voxels are
    not blurred; the exact positions are in the table.

    Args:
        tiles: The grid, with the positions of the stage.
        channel: Channel whose content is compared, counted from 0.
        max_shift_um: How far the true displacement of two neighbours may be from the stage's,
            along each axis, in micrometres. 0 searches as far as a typical overlap is wide.
        min_confidence: Pairs below it are not used unless the rest of the grid confirms them. 0
            trusts every pair.
        blending: How overlaps are joined: `linear` fades one tile into the other, `average` weighs
            both the same.
        correct_illumination: Even out the gain of each tile and the vignette they share.
    """
    plan = _Plan(
        layout=_lay_out(tiles, max_shift_um),
        channel=_check_channel(tiles, channel),
        min_confidence=min_confidence,
        blending=blending,
        correct_illumination=correct_illumination,
    )
    return _passes(tiles, plan)


def _passes(tiles: TileGrid, plan: _Plan) -> Passes[Stitched]:
    pairs = Pass(
        name="pairs",
        work=partial(_measure, plan),
        over=Items(
            count=len(plan.layout.pairs),
            bytes_each=_pair_bytes(plan.layout),
        ),
        merge=partial(_merge, plan),
    )
    fuse = Pass(
        name="fuse",
        work=partial(_fuse, plan),
        over=_estimate(tiles, plan.layout),
        writes="image",
        needed_for=("image",),
        settle=partial(_settle, plan),
        bytes_per_voxel=24.0 + np.dtype(tiles.dtype).itemsize * (2 + len(tiles.channels)),
    )
    return Passes(
        passes=(pairs, fuse),
        tables={"positions": partial(_positions, plan)},
        reports={
            "stitch.json": partial(_report, plan, write_json),
            "pairs.csv": partial(_report, plan, write_csv),
            "index.html": partial(_report, plan, write_html),
            "seams.png": partial(_seams, plan),
        },
    )


def _lay_out(grid: TileGrid, max_shift_um: float) -> TileLayout:
    layout = plan_layout(
        np.asarray([tile.nominal_voxels for tile in grid.tiles], float),
        np.asarray([tile.shape for tile in grid.tiles], np.int64),
        voxel_um=grid.voxel_um,
        max_shift_um=max_shift_um,
    )
    if len(grid.tiles) > 1 and not layout.pairs:
        spacing = np.abs(layout.nominal[1] - layout.nominal[0]).max()
        raise CallError(
            f"stitch: no two of the {len(grid.tiles)} tiles overlap by their nominal positions "
            f"(the first two are {spacing:g} voxels apart, the first is {grid.tiles[0].shape} "
            "voxels); check the unit of the positions and the voxel size, and ingest again"
        )
    return layout


def _check_channel(grid: TileGrid, channel: int) -> int:
    if channel >= len(grid.channels):
        raise CallError(
            f"stitch: channel={channel}, but the tiles have {len(grid.channels)} channel(s), "
            "counted from 0; choose one of them"
        )
    return channel


def _pair_bytes(layout: TileLayout) -> int:
    return 2 * _PAIR_BYTES_PER_VOXEL * min(layout.largest_strip(), LARGEST_STRIP)


def _shape(values: NDArray[Any]) -> Shape:
    z, y, x = (int(v) for v in values)
    return (z, y, x)


def _measure(plan: _Plan, work: Work) -> Arrays:
    """Compare one pair of tiles."""
    grid, layout = work.inputs["tiles"], plan.layout
    pair = layout.pairs[work.item]
    ends = (pair.first, pair.second)
    first, second = strip_views(
        layout.strips(pair),
        (layout.shape(pair.first), layout.shape(pair.second)),
        (partial(_read, grid.source(ends[0]), plan), partial(_read, grid.source(ends[1]), plan)),
    )
    found = measure_pair(first, second, pair.displacement, layout.window)
    samples = []
    if plan.correct_illumination and found:
        shift = _shape(np.rint(found[0].shift))
        channels = range(len(grid.channels))
        samples = [s for c in channels if (s := _sample(grid, plan, pair, shift, c)) is not None]
    return pack_pair(work.item, found, samples)


def _read(source: Source, plan: _Plan, start: Shape, stop: Shape) -> NDArray[Any]:
    return source.read(Box(start, stop), channel=plan.channel)


def _sample(
    grid: TileGrid, plan: _Plan, pair: TilePair, shift: Shape, channel: int
) -> Arrays | None:
    """Compare the brightness of two aligned tiles."""
    first, second = (Box.of_shape(plan.layout.shape(i)) for i in (pair.first, pair.second))
    common = first.intersect(second.shift(shift))
    if common is None:
        return None
    back = _shape(np.negative(shift))
    step = max(1, common.voxels // _SAMPLED_VOXELS)
    planes = [common]
    if step > 1:
        planes = [
            Box((z, *common.start[1:]), (z + 1, *common.stop[1:]))
            for z in range(common.start[0], common.stop[0], step)
        ]
    views = (
        np.concatenate([grid.source(pair.first).read(p, channel=channel) for p in planes]),
        np.concatenate(
            [grid.source(pair.second).read(p.shift(back), channel=channel) for p in planes]
        ),
    )
    starts = (common.start, common.shift(back).start)
    return sample_channel(channel, views, starts, (first.shape, second.shape))


def _merge(plan: _Plan, parts: Iterable[Arrays], work: Work) -> Arrays:
    channels = len(work.inputs["tiles"].channels) if plan.correct_illumination else 0
    return solve_grid(
        plan.layout.nominal,
        plan.layout.pairs,
        parts,
        channels=channels,
        min_confidence=plan.min_confidence,
    )


def _solved(plan: _Plan, work: Work) -> Arrays:
    """Return the solved grid; a single tile has no pair to solve."""
    return work.state["pairs"] if "pairs" in work.state else _merge(plan, [], work)


def _estimate(grid: TileGrid, layout: TileLayout) -> Blocks:
    """Return the volume if every tile lay where the stage says, with room for errors."""
    canvas = lay_canvas(layout.nominal, layout.shapes)
    room = np.asarray(layout.window) * (len(layout.nominal) > 1)
    return _blocks(grid, canvas.origin, _shape(canvas.shape + room))


def _settle(plan: _Plan, work: Work) -> Blocks:
    canvas = lay_canvas(_solved(plan, work)["position"], plan.layout.shapes)
    return _blocks(work.inputs["tiles"], canvas.origin, canvas.shape)


def _blocks(grid: TileGrid, origin: Vector, shape: Shape) -> Blocks:
    z, y, x = (float(s * v) for s, v in zip(origin, grid.voxel_um, strict=True))
    info = VolumeInfo(
        kind="image",
        dtype=grid.dtype,
        shape=shape,
        voxel_um=grid.voxel_um,
        origin_um=(z, y, x),
        channels=grid.channels,
    )
    return Blocks(grid=info, read_unit=grid.source(0).read_unit)


def _fuse(plan: _Plan, work: Work) -> Arrays:
    """Join the tiles that reach one block, in the order of the grid."""
    grid, layout, solved = work.inputs["tiles"], plan.layout, _solved(plan, work)
    canvas = lay_canvas(solved["position"], layout.shapes)
    ramp = layout.overlap if plan.blending == "linear" else (1, 1, 1)
    voxels = np.empty((len(grid.channels), *work.box.shape), grid.dtype)
    for channel in range(len(grid.channels)):
        blend, field = Blend.of_shape(work.box.shape), _field(solved, channel)
        for index in meeting_tiles(canvas, layout.shapes, work.box.start, work.box.stop):
            shape, corner = layout.shape(index), _shape(canvas.corners[index])
            part = _reach(shape, corner, work.box)
            if part is None:
                continue
            inside = part.shift(_shape(-canvas.corners[index]))
            spans = inside.slices()
            weights = face_weights(shape, ramp)
            rows, columns = field.factors(index, shape)
            blend.add(
                grid.source(index).read(inside, channel=channel),
                _shape(np.subtract(part.start, work.box.start)),
                (weights[0][spans[0]], weights[1][spans[1]], weights[2][spans[2]]),
                (rows[spans[1]], columns[spans[2]]),
            )
        voxels[channel] = blend.finish(grid.dtype)
    return {"voxels": voxels}


def _field(solved: Arrays, channel: int) -> Illumination:
    row = min(channel, len(solved["gain"]) - 1)
    return Illumination(gain=solved["gain"][row], vignette=solved["vignette"][row])


def _reach(shape: Shape, corner: Shape, box: Box) -> Box | None:
    return Box.of_shape(shape).shift(corner).intersect(box)


def _grid_report(plan: _Plan, work: Work) -> GridReport:
    files = [tile.file for tile in work.inputs["tiles"].tiles]
    return GridReport(files=files, nominal=plan.layout.nominal, solved=_solved(plan, work))


def _report(plan: _Plan, write: Callable[[GridReport], bytes], work: Work) -> bytes:
    return write(_grid_report(plan, work))


def _positions(plan: _Plan, work: Work) -> Arrays:
    rows = list(_grid_report(plan, work).tiles())
    columns = {name: np.asarray([row[name] for row in rows]) for name in rows[0]}
    um = _solved(plan, work)["position"] * np.asarray(work.inputs["tiles"].voxel_um)
    return {"z_um": um[:, 0], "y_um": um[:, 1], "x_um": um[:, 2], **columns}


def _seams(plan: _Plan, work: Work) -> bytes:
    rows = choose_seams(_grid_report(plan, work))
    seams = (_seam(plan, work, row) for row in rows)
    return draw_seams([seam for seam in seams if seam is not None])


def _seam(plan: _Plan, work: Work, row: int) -> Seam | None:
    """Read the plane in the middle of an overlap from both tiles, by the stage and as stitched."""
    solved, pair = _solved(plan, work), plan.layout.pairs[row]
    ends = (pair.first, pair.second)
    corners = [
        [_shape(np.floor(where[index] + 0.5)) for index in ends]
        for where in (plan.layout.nominal, solved["position"])
    ]
    first = Box.of_shape(plan.layout.shape(ends[0])).shift(corners[1][0])
    common = _reach(plan.layout.shape(ends[1]), corners[1][1], first)
    if common is None:
        return None
    window = Box(*seam_window(common.start, common.stop))
    fields = [_field(solved, plan.channel).factors(i, plan.layout.shape(i)) for i in ends]
    places = zip(ends, corners[0], strict=True)
    before = [_look(plan, work, index, corner, window) for index, corner in places]
    after = [
        _look(plan, work, index, corner, window) * _lit(factors, corner, window)
        for index, corner, factors in zip(ends, corners[1], fields, strict=True)
    ]
    files = [work.inputs["tiles"].tiles[index].file for index in ends]
    return Seam(title=" · ".join(files), before=(before[0], before[1]), after=(after[0], after[1]))


def _lit(
    factors: tuple[NDArray[np.float64], NDArray[np.float64]], corner: Shape, window: Box
) -> NDArray[np.float64]:
    """Return the brightness factors of a tile over a window, held constant beyond its faces."""
    rows, columns = (
        factor.take(np.arange(window.start[axis], window.stop[axis]) - corner[axis], mode="clip")
        for axis, factor in zip((1, 2), factors, strict=True)
    )
    return np.multiply.outer(rows, columns)


def _look(plan: _Plan, work: Work, index: int, corner: Shape, window: Box) -> NDArray[np.float64]:
    """Return one plane of a tile in a window of the stage's frame; NaN where it does not reach."""
    view = np.full(window.shape, np.nan)
    part = _reach(plan.layout.shape(index), corner, window)
    if part is not None:
        inside = part.shift(_shape(np.negative(corner)))
        source = work.inputs["tiles"].source(index)
        view[part.slices(window.start)] = source.read(inside, channel=plan.channel)
    return np.asarray(view[0])
