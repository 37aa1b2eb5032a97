"""Turns what the runs of the demo left in the store into the report: pictures, figures, graph."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from gateway.service.gateway import Gateway
from gateway.service.projections import Projections, project
from gateway.service.report import Chart, Digest, Fact, Picture, Report, Step
from gateway.service.samples import Sample
from gateway.service.seams import Positions, choose_seam, view_seam
from gateway.service.truth import Score, position_error, score_centres
from gateway.volumes.box import Shape
from gateway.volumes.dataset import EntryKind, entry_key
from gateway.volumes.points import PointsTable, open_points
from gateway.volumes.ref import Ref
from gateway.volumes.tiles import TileGrid, open_tiles
from gateway.volumes.volume import Volume, open_volume

_DATASET = "demo"
_GOOD_POSITION_VOXELS, _GOOD_F1 = 0.5, 0.9
_CLOSE_UP, _NEAR_PLANES = 200, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How far results are from the truth; None where it is not known."""

    stage_voxels: float | None = None
    """Rms error of the positions that the stage gave."""
    position_voxels: float | None = None
    """Rms error of the stitched positions."""
    nuclei: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the demo knows besides the store."""

    sample: Sample
    steps: Sequence[Step]
    digests: Mapping[str, str]
    notes: Sequence[str]
    commands: Sequence[str]
    made: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Things:
    """The results, opened."""

    grid: TileGrid
    brain: Volume
    masks: Volume
    nuclei: Mapping[str, NDArray[Any]]
    regions: Mapping[str, NDArray[Any]]
    stage: Positions
    placed: Positions
    placed_um: Mapping[str, tuple[float, ...]]

    @property
    def centres_um(self) -> NDArray[np.float64]:
        """Centres of the nuclei found, rows zyx."""
        return np.stack([self.nuclei[name] for name in ("z_um", "y_um", "x_um")], axis=1)


def tell_story(gateway: Gateway, story: Story) -> tuple[Report, Errors, int]:
    """Return the report, the errors against truth, and the number of nuclei."""
    things = _open(gateway)
    errors = _errors(things, story.sample)
    records = gateway.catalogue.runs(dataset=_DATASET, status="done", with_sources=True)
    count = len(things.centres_um)
    tiles = len(things.grid.tiles)
    report = Report(
        title=story.sample.title,
        lead=(
            f"{tiles} overlapping tiles were joined to one volume, {count} nuclei were found in "
            f"it, outlined and measured. The voxels are from {story.sample.about}."
        ),
        licence=story.sample.licence,
        facts=_facts(things, errors, story),
        pictures=_pictures(things, story.sample),
        seams=list(_seams(things)),
        charts=list(_charts(things)),
        graph=Chart(title="", svg=_graph(records)),
        steps=story.steps,
        digests=list(_digests(records)),
        notes=story.notes,
        commands=story.commands,
        made=story.made,
    )
    return report, errors, count


def _open(gateway: Gateway) -> _Things:
    store = gateway.store

    def key(name: str, kind: EntryKind) -> str:
        return entry_key(Ref(_DATASET, name), kind)

    grid = open_tiles(store, key("tiles", "tiles"))
    table = open_points(store, key("positions", "points"))
    rows = table.read()
    names = [str(name) for name in rows["file"]]
    return _Things(
        grid=grid,
        brain=open_volume(store, key("brain", "image")),
        masks=open_volume(store, key("masks", "labels")),
        nuclei=_rows(open_points(store, key("nuclei", "points"))),
        regions=_rows(open_points(store, key("regions", "points"))),
        stage={tile.file: tile.nominal_voxels for tile in grid.tiles},
        placed=_by_name(names, rows, ("z", "y", "x")),
        placed_um=_by_name(names, rows, ("z_um", "y_um", "x_um")),
    )


def _rows(table: PointsTable) -> Mapping[str, NDArray[Any]]:
    return table.read()


def _by_name(
    names: Sequence[str], rows: Mapping[str, NDArray[Any]], columns: Sequence[str]
) -> dict[str, tuple[float, ...]]:
    values = np.stack([np.asarray(rows[column], float) for column in columns], axis=1)
    return {name: tuple(map(float, row)) for name, row in zip(names, values, strict=True)}


def _errors(things: _Things, sample: Sample) -> Errors:
    true = sample.true_positions()
    if not true:
        return Errors()
    centres = sample.true_centres_um()
    return Errors(
        stage_voxels=position_error(things.stage, true),
        position_voxels=position_error(things.placed, true),
        nuclei=None if centres is None else _score(things, sample, true, centres),
    )


def _score(
    things: _Things, sample: Sample, true: Positions, centres_um: NDArray[np.float64]
) -> Score:
    """Score the nuclei in the stitched frame; those centred outside all tiles may be missed."""
    voxel_um = np.asarray(sample.voxel_um)
    shown = np.zeros(len(centres_um), bool)
    for tile in things.grid.tiles:
        within = (centres_um / voxel_um - np.asarray(true[tile.file])) / np.asarray(tile.shape)
        shown |= ((within >= 0) & (within < 1)).all(axis=1)
    shift = np.mean(
        [
            np.subtract(things.placed_um[name], np.asarray(place) * voxel_um)
            for name, place in true.items()
        ],
        axis=0,
    )
    return score_centres(
        things.centres_um, centres_um + shift, reach_um=sample.diameter_um / 2, spare=~shown
    )


def _facts(things: _Things, errors: Errors, story: Story) -> list[Fact]:
    voxels = things.brain.info.shape
    size = " x ".join(map(str, voxels))
    facts = [
        Fact(value=f"{len(things.centres_um):,}", label="nuclei found"),
        Fact(
            value=f"{np.prod(voxels) / 1e6:.1f} M",
            label=f"voxels stitched, {size}",
        ),
    ]
    if errors.position_voxels is not None:
        off = f"the stage was off by {errors.stage_voxels:.1f}"
        facts.append(
            Fact(
                value=f"{errors.position_voxels:.2f} voxel",
                label=f"rms error of tile positions; {off}",
                good=errors.position_voxels <= _GOOD_POSITION_VOXELS,
            )
        )
    if errors.nuclei is not None:
        score = errors.nuclei
        facts.append(
            Fact(
                value=f"{score.f1:.3f}",
                label=f"F1 of nuclei: {score.matched} of {score.true} true ones found",
                good=score.f1 >= _GOOD_F1,
            )
        )
    diameters = things.regions.get("diameter_um")
    if diameters is not None and len(diameters):
        facts.append(Fact(value=f"{np.median(diameters):.1f} µm", label="median diameter"))
    seconds = sum(step.wall_s for step in story.steps)
    facts.append(Fact(value=f"{seconds:.0f} s", label="for all steps"))
    return facts


def _pictures(things: _Things, sample: Sample) -> list[Picture]:
    seen = project(things.brain)
    window = choose_window(seen.top)
    pixel_um = seen.level.voxel_um[2]
    bar = choose_scale_bar(seen.top.shape[1], pixel_um)
    at = seen.pixels(things.centres_um)
    radius = sample.diameter_um / 2 / pixel_um * 1.15
    rings = Rings(centres=at[:, 1:], radius=radius, values=at[:, 0])
    return [
        Picture(
            title="The stitched brain from above, every nucleus ringed",
            caption="Maximum projection along z. The colour of a ring is its depth, from dark to "
            "bright.",
            png=draw_image(seen.top, window=window, rings=rings, scale_bar=bar),
        ),
        Picture(
            title="The same without rings",
            caption="Maximum projection along z: no seam should be seen.",
            png=draw_image(seen.top, window=window, scale_bar=bar),
        ),
        _mask_picture(things, window),
        _side_picture(seen),
    ]


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


def _mask_picture(things: _Things, window: tuple[float, float]) -> Picture:
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


def _seams(things: _Things) -> Iterable[Picture]:
    pair = choose_seam(things.grid, things.stage, things.placed)
    if pair is None:
        return
    names = " and ".join(things.grid.tiles[index].file for index in pair)
    for title, positions in (("As the stage says", things.stage), ("As stitched", things.placed)):
        view = view_seam(things.grid, pair, positions)
        if view is not None:
            png = draw_overlay(view.first, view.second, window=choose_window(view.first))
            yield Picture(title=title, caption=f"{names}, three planes in the middle.", png=png)


def _charts(things: _Things) -> Iterable[Chart]:
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


def _graph(records: Sequence[RunRecord]) -> str:
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


def _digests(records: Sequence[RunRecord]) -> Iterable[Digest]:
    for record in sorted(records, key=lambda record: record.started):
        for port in record.outputs:
            yield Digest(
                ref=port.ref,
                kind=port.kind,
                what=f"by {record.tool} {record.version}",
                digest=port.digest or "none",
            )
