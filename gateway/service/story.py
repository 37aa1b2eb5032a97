"""Tells of a demo: turns what its runs left in the store into the report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.records.runs import RunRecord
from gateway.service.gateway import Gateway
from gateway.service.illustrations import (
    draw_charts,
    draw_pictures,
    draw_provenance,
    draw_seams,
)
from gateway.service.report import Chart, Digest, Fact, Report, Step
from gateway.service.results import DATASET, Results, open_results
from gateway.service.samples import Sample
from gateway.service.seams import Positions
from gateway.service.truth import Score, position_error, score_centres

_GOOD_POSITION_VOXELS, _GOOD_F1 = 0.5, 0.9


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


def tell_story(gateway: Gateway, story: Story) -> tuple[Report, Errors, int]:
    """Return the report, the errors against truth, and the number of nuclei."""
    things = open_results(gateway)
    errors = _errors(things, story.sample)
    records = gateway.catalogue.runs(dataset=DATASET, status="done", with_sources=True)
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
        pictures=draw_pictures(things, story.sample.diameter_um),
        seams=list(draw_seams(things.grid, things.stage, things.placed)),
        charts=list(draw_charts(things)),
        graph=Chart(title="", svg=draw_provenance(records)),
        steps=story.steps,
        digests=list(_digests(records)),
        notes=story.notes,
        commands=story.commands,
        made=story.made,
    )
    return report, errors, count


def _errors(things: Results, sample: Sample) -> Errors:
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
    things: Results, sample: Sample, true: Positions, centres_um: NDArray[np.float64]
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


def _facts(things: Results, errors: Errors, story: Story) -> list[Fact]:
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


def _digests(records: Sequence[RunRecord]) -> Iterable[Digest]:
    for record in sorted(records, key=lambda record: record.started):
        for port in record.outputs:
            yield Digest(
                ref=port.ref,
                kind=port.kind,
                what=f"by {record.tool} {record.version}",
                digest=port.digest or "none",
            )
