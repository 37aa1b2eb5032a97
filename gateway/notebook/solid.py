"""A box of a volume as a solid in 3D, with points: ipyvolume, at the finest level that fits."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.client.session import Session
from gateway.errors import BoxError, CallError
from gateway.notebook.shown import positions_of, ref_of
from gateway.service.view.contrast import display_window
from gateway.volumes.box import Box, Vector
from gateway.volumes.volume import Volume

with warnings.catch_warnings():
    # the last ipyvolume and the bqplot of its axes make traits in a way that traitlets warns of
    warnings.simplefilter("ignore", DeprecationWarning)
    import ipyvolume

VOXELS = 2**21
"""What a browser turns smoothly: 128 x 128 x 128."""
_MOST_VOXELS = 2**26
_MOST_POINTS = 100_000
_POINT = "#ff6ec7"
BoxUm = tuple[Vector, Vector]


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of one level."""

    level: int
    box: Box
    low_um: Vector
    high_um: Vector


def choose_piece(volume: Volume, box_um: BoxUm | None, voxels: int) -> Piece:
    """Return the finest level at which a box has no more than so many voxels, and the box there.

    Raises:
        BoxError: The box does not meet the volume, or is too large at every level.
    """
    last = len(volume.info.levels) - 1
    for number, level in enumerate(volume.info.levels):
        box = Box.of_shape(level.shape) if box_um is None else volume.box_um(*box_um, number)
        if box.voxels <= voxels:
            spacing, origin = np.asarray(level.voxel_um), np.asarray(level.origin_um)
            low = origin + (np.asarray(box.start) - 0.5) * spacing
            high = origin + (np.asarray(box.stop) - 0.5) * spacing
            return Piece(number, box, _vector(low), _vector(high))
        if number == last:
            raise BoxError(
                f"the box has {box.voxels} voxels at the coarsest level of {volume.key}, more "
                f"than {voxels}; give a smaller box=((z0, y0, x0), (z1, y1, x1)) in micrometres, "
                f"or allow more with voxels={box.voxels}"
            )
    raise BoxError(f"{volume.key} has no levels")


def solid(
    session: Session,
    image: Any,
    *,
    box: BoxUm | None = None,
    points: Any = None,
    channel: int = 0,
    voxels: int = VOXELS,
    height: int = 480,
) -> Any:
    """Return a widget that shows a box of a volume as a solid.

    Args:
        session: The gateway.
        image: The volume, as a ref or opened.
        box: Two corners in micrometres, zyx; None shows the whole volume.
        points: A table, as a ref, opened or as rows: those in the box are shown.
        channel: Which channel.
        voxels: The finest level with no more voxels in the box is taken.
        height: Pixels.

    Raises:
        BoxError: The box does not meet the volume, or is too large at every level.
        CallError: The number of voxels is out of bounds, or the points have no positions.
    """
    if not 1 <= voxels <= _MOST_VOXELS:
        raise CallError(
            f"voxels is {voxels}; expected 1 to {_MOST_VOXELS}: a browser holds no more"
        )
    volume = image if isinstance(image, Volume) else session.volume(ref_of(image))
    piece = choose_piece(volume, box, voxels)
    values = volume.read(piece.box, level=piece.level, channel=channel)
    window = display_window(volume, channel)
    at = None if points is None else positions_of(session, points)
    # where a volume is flat it has no gradient, and ipyvolume divides by its length
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", DeprecationWarning)  # as above
        ipyvolume.clear()
        ipyvolume.figure(width=round(height * 1.4), height=height)
        _draw_voxels(values, piece, window)
        if at is not None:
            _draw_points(at, piece)
        _frame(piece)
        return ipyvolume.gcc()


def _draw_voxels(values: NDArray[Any], piece: Piece, window: tuple[float, float]) -> None:
    (z0, y0, x0), (z1, y1, x1) = piece.low_um, piece.high_um
    low, high = window
    ipyvolume.volshow(
        values.astype(np.float32),
        level=[0.25, 0.6, 0.95],
        opacity=[0.02, 0.08, 0.2],
        level_width=0.2,
        data_min=low,
        data_max=high,
        extent=[[x0, x1], [y0, y1], [z0, z1]],
        controls=True,
        max_shape=512,
    )


def _draw_points(at: NDArray[np.float64], piece: Piece) -> None:
    inside = np.all((at >= piece.low_um) & (at < piece.high_um), axis=1)
    shown = at[inside][:_MOST_POINTS]
    if len(shown):
        z, y, x = shown.T
        ipyvolume.scatter(x, y, z, marker="sphere", size=1.5, color=_POINT)


def _frame(piece: Piece) -> None:
    """Have every axis as long on the screen as it is in the sample."""
    low, high = np.asarray(piece.low_um), np.asarray(piece.high_um)
    middle, half = (low + high) / 2, float((high - low).max()) / 2
    (z0, y0, x0), (z1, y1, x1) = middle - half, middle + half
    ipyvolume.xlim(x0, x1)
    ipyvolume.ylim(y0, y1)
    ipyvolume.zlim(z0, z1)
    ipyvolume.xlabel("x µm")
    ipyvolume.ylabel("y µm")
    ipyvolume.zlabel("z µm")


def _vector(values: Any) -> Vector:
    z, y, x = map(float, values)
    return (z, y, x)
