"""Pictures of results: histograms, detections on their image, the seams of a stitched volume."""

from pathlib import Path
from typing import Any

import numpy as np

from gateway.algo.pictures import choose_window, draw_labels
from gateway.errors import CallError, NotFoundError
from gateway.notebook.current import session
from gateway.notebook.shown import positions_of, ref_of
from gateway.service.charts import draw_histogram
from gateway.service.illustrations import draw_ringed, draw_seams
from gateway.service.projections import project
from gateway.service.report import Picture
from gateway.service.results import stage_places, tile_places
from gateway.volumes.box import Vector

_WIDTH = 900
_NEAR_UM = 100.0
_STYLE = """<style>
.gateway-chart { max-width: 34em; }
.gateway-chart .bar { fill: #3d7ea6; } .gateway-chart .axis { stroke: #888; }
.gateway-chart .median { stroke: #c8442f; stroke-dasharray: 4 3; }
.gateway-chart text { fill: currentColor; font: 11px sans-serif; }
.gateway-chart .strong { fill: #c8442f; font-weight: 600; }
</style>"""


class Chart:
    """A chart that a notebook shows; `save` keeps it."""

    def __init__(self, svg: str) -> None:
        """Take the drawing."""
        self.svg = svg

    def save(self, path: str | Path) -> None:
        """Write it as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")

    def _repr_html_(self) -> str:
        return f'{_STYLE}<div class="gateway-chart">{self.svg}</div>'


class Drawing:
    """Pictures that a notebook shows below one another; `save` keeps the first."""

    def __init__(self, pictures: list[Picture]) -> None:
        """Take the pictures."""
        self.pictures = pictures

    @property
    def png(self) -> bytes:
        """The first picture."""
        return self.pictures[0].png

    def save(self, path: str | Path) -> None:
        """Write the first picture as a PNG file."""
        Path(path).write_bytes(self.png)

    def _repr_html_(self) -> str:
        return "".join(
            f'<figure style="margin: 0 0 1em"><figcaption><b>{picture.title}</b>. '
            f"{picture.caption}</figcaption>"
            f'<img style="max-width: 100%" alt="{picture.title}" src="{picture.source}"></figure>'
            for picture in self.pictures
        )


def histogram(table: Any, column: str, *, bins: int = 32) -> Chart:
    """Draw how the values of a column are spread.

    Args:
        table: A ref, an opened table, or rows such as a DataFrame.
        column: The column.
        bins: How many bars.

    Raises:
        NotFoundError: The table has no such column.
    """
    if isinstance(table, str) or hasattr(table, "ref"):
        values = session().points(ref_of(table)).read(columns=(column,))[column]
    else:
        if column not in table:
            raise NotFoundError(f"no column {column!r} in the rows; there is {', '.join(table)}")
        values = np.asarray(table[column])
    if values.dtype.kind not in "iufb":
        raise CallError(f"the column {column!r} holds {values.dtype}; a histogram takes numbers")
    svg = draw_histogram(values, unit=column, bins=bins)
    return Chart(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def detections(image: Any, points: Any, diameter_um: float, *, width: int = _WIDTH) -> Drawing:
    """Draw a volume from above with a ring around each point, in the colour of its depth.

    Args:
        image: The volume, as a ref or opened.
        points: A table, as a ref or opened, or rows with z_um, y_um, x_um.
        diameter_um: How large what was found is.
        width: Pixels of the picture.
    """
    here = session()
    centres = positions_of(here, points)
    seen = project(here.volume(ref_of(image)))
    png = draw_ringed(seen, centres, diameter_um, width=width)
    said = f"Maximum along z; {len(centres)} rings, dark at the top and bright below."
    return Drawing([Picture(title=ref_of(image), caption=said, png=png)])


def outlines(
    image: Any, labels: Any, at_um: Vector | None = None, *, across_um: float = _NEAR_UM
) -> Drawing:
    """Draw a part of one plane with the outline of each label.

    Args:
        image: The volume, as a ref or opened.
        labels: The labels of its objects, of the same shape.
        at_um: Its middle, zyx; None takes the middle of the volume.
        across_um: How much of it is shown.

    Raises:
        CallError: The shapes differ.
    """
    here = session()
    grey, masks = here.volume(ref_of(image)), here.volume(ref_of(labels))
    info = grey.info
    if info.shape != masks.info.shape:
        raise CallError(
            f"{ref_of(labels)} has the shape {masks.info.shape} and {ref_of(image)} "
            f"{info.shape}; outlines are drawn over the image that they were found in"
        )
    middle = np.asarray(info.origin_um) + np.asarray(info.shape) / 2 * np.asarray(info.voxel_um)
    centre = middle if at_um is None else np.asarray(at_um, float)
    half = np.asarray((0.0, across_um / 2, across_um / 2))
    start, stop = centre - half, centre + half
    box = grey.box_um(_vector(start), _vector(stop))
    plane, shown = grey.read(box, channel=0)[0], masks.read(box, channel=0)[0]
    zoom = max(1, round(_WIDTH / 2 / max(plane.shape)))
    png = draw_labels(plane, shown, window=choose_window(plane), zoom=zoom)
    said = f"Plane {box.start[0]}, {across_um:g} µm across."
    return Drawing([Picture(title=ref_of(labels), caption=said, png=png)])


def seams(tiles: str, positions: Any) -> Drawing:
    """Draw the two tiles that stitching moved farthest, before and after: grey where they agree.

    Args:
        tiles: Ref of the tile grid.
        positions: The table of positions that stitching made.

    Raises:
        CallError: The gateway is on another machine, or no two tiles overlap.
    """
    here = session()
    grid = here.tiles(tiles)
    rows = here.points(ref_of(positions)).read()
    pictures = list(draw_seams(grid, stage_places(grid), tile_places(rows)))
    if not pictures:
        raise CallError(f"no two tiles of {tiles} overlap, so there is no seam to draw")
    return Drawing(pictures)


def _vector(values: Any) -> Vector:
    z, y, x = map(float, values)
    return (z, y, x)
