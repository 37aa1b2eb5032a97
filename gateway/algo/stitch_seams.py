"""Pictures of seams: two tiles where they meet, by the stage and as stitched."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.algo.pictures import choose_window, scale_to_bytes
from gateway.algo.stitch_report import GridReport
from gateway.algo.tile_overlap import Index

_CONTEXT = 40
"""Voxels shown beyond the overlap."""
_LONGEST = 320
_COLUMN, _GAP, _TITLE = 500, 16, 28
"""Pixels: of a view with its margin, of the margin, of the line above."""
_SHOWN = 4
_FARTHEST = 2  # of those shown, how many are chosen because the stage was wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """One place where two tiles meet, by the stage and as stitched; NaN where a tile is not."""

    title: str
    before: tuple[NDArray[np.float64], NDArray[np.float64]]
    after: tuple[NDArray[np.float64], NDArray[np.float64]]


def choose_seams(report: GridReport) -> list[int]:
    """Return the used pairs the stage was most wrong about, then the least certain ones."""
    solved = report.solved
    used = np.flatnonzero(solved["candidate"] >= 0)
    first, second = solved["tiles"][used].T
    moved = solved["position"] - report.nominal
    error = np.linalg.norm(moved[second] - moved[first], axis=1)
    farthest = used[np.argsort(-error, kind="stable")][:_FARTHEST]
    unsure = used[np.argsort(solved["confidence"][used], kind="stable")]
    return list(dict.fromkeys([*farthest.tolist(), *unsure.tolist()]))[:_SHOWN]


def seam_window(start: Index, stop: Index) -> tuple[Index, Index]:
    """Return the part of a plane to show around an overlap, as first and last voxel plus one."""
    middle = np.add(start, stop) // 2
    half = np.minimum(np.subtract(stop, start) // 2 + _CONTEXT, _LONGEST // 2)
    z, y, x = (int(v) for v in middle)
    _, dy, dx = (int(v) for v in half)
    return (z, y - dy, x - dx), (z + 1, y + dy, x + dx)


def draw_seams(seams: Sequence[Seam]) -> bytes:
    """Draw seams before and after, one row each, as PNG: magenta and green, grey where equal."""
    from PIL import Image, ImageDraw

    rows = [
        (seam.title, [_enlarge(_overlay(*views)) for views in (seam.before, seam.after)])
        for seam in seams
    ]
    heights = [_TITLE + max(view.shape[0] for view in views) for _, views in rows]
    picture = Image.new("RGB", (2 * _COLUMN, max(sum(heights), _TITLE)), "white")
    pen = ImageDraw.Draw(picture)
    if not rows:
        pen.text((4, 4), "No two tiles overlap: there is no seam.", fill="black")
    top = 0
    for (title, views), height in zip(rows, heights, strict=True):
        for column, (view, when) in enumerate(zip(views, ("stage", "stitched"), strict=True)):
            pen.text((column * _COLUMN + 4, top + 8), f"{title} ({when})", fill="black")
            picture.paste(Image.fromarray(view), (column * _COLUMN, top + _TITLE))
        top += height
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _enlarge(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    zoom = max(1, (_COLUMN - _GAP) // max(view.shape[:2]))
    return np.ascontiguousarray(view.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _overlay(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.uint8]:
    filled = np.where(np.isnan(first), second, first), np.where(np.isnan(second), first, second)
    known = filled[0][np.isfinite(filled[0])]
    window = choose_window(known) if known.size else (0.0, 1.0)
    one, other = (scale_to_bytes(np.nan_to_num(view), window) for view in filled)
    return np.stack([one, other, one], axis=-1)
