"""How volumes and tables show themselves in a notebook."""

import base64
import html
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.client.session import Points, Session
from gateway.volumes.box import Box
from gateway.volumes.volume import Volume

_THUMBNAIL = 192
_ROWS = 5
_LOW, _HIGH = 1, 99.7


def show_thing(session: Session, ref: str) -> "ShownVolume | ShownTable":
    """Open a volume or a table with a face for people.

    Raises:
        NotFoundError: There is nothing of that name, or one may not see it.
    """
    thing = session.open(ref)
    if isinstance(thing, Volume):
        return ShownVolume(thing, ref, session.show(ref))
    return ShownTable(thing, ref)


class ShownVolume:
    """A lazy volume; everything a `Volume` does, and a picture of itself."""

    def __init__(self, volume: Volume, ref: str, said: dict[str, Any]) -> None:
        """Take an opened volume and what the gateway says of it."""
        self.volume = volume
        self.ref = ref
        self._said = said

    def __getattr__(self, name: str) -> Any:
        """Hand everything else to the volume."""
        return getattr(self.volume, name)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read `[level, region]`, as the volume does."""
        return self.volume[index]

    def __repr__(self) -> str:
        """Describe the volume in a line."""
        info = self.volume.info
        shape = " x ".join(map(str, info.shape))
        return f"<{info.kind} {self.ref}: {shape} voxels, {info.dtype}, {len(info.levels)} levels>"

    @property
    def centre_um(self) -> tuple[float, float, float]:
        """The middle of the volume, zyx in micrometres."""
        info = self.volume.info
        size = np.asarray(info.shape) - 1
        z, y, x = (np.asarray(info.origin_um) + size / 2 * np.asarray(info.voxel_um)).tolist()
        return (z, y, x)

    def thumbnail(self) -> NDArray[np.uint8]:
        """Return the maximum along z of the coarsest level, first channel, as grey yx."""
        level = len(self.volume.info.levels) - 1
        shape = self.volume.info.levels[level].shape
        flat = self.volume.read(Box.of_shape(shape), level=level, channel=0).max(axis=0)
        low, high = np.percentile(flat, (_LOW, _HIGH))
        if self.volume.info.kind == "labels":
            # neighbouring numbers far apart in grey, so that touching objects can be told
            grey: NDArray[Any] = (flat.astype(np.uint64) * 97 % 223 + 32) * (flat > 0)
        else:
            scaled = (flat.astype(np.float64) - low) / max(float(high - low), 1e-12)
            grey = 255 * scaled.clip(0, 1)
        return np.asarray(grey.astype(np.uint8))

    def _repr_html_(self) -> str:
        info = self.volume.info
        rows = {
            "voxels": _times(info.shape) + f" (z y x), {info.dtype}",
            "channels": ", ".join(channel.name for channel in info.channels),
            "voxel size": _times(f"{um:g}" for um in info.voxel_um) + " µm",
            "levels": ", ".join(
                f"{number}: {_times(level.shape)}" for number, level in enumerate(info.levels)
            ),
            "made by": _made(self._said.get("run")),
            "digest": str(info.digest or "none"),
        }
        picture = base64.b64encode(_png(self.thumbnail())).decode()
        source = f"data:image/png;base64,{picture}"
        image = f'<img alt="maximum along z" width="{_THUMBNAIL}" src="{source}">'
        return f"<div><b>{html.escape(self.ref)}</b><br>{image}{_table(rows)}</div>"


class ShownTable:
    """A table of positions; everything a table does, and its first rows."""

    def __init__(self, points: Points, ref: str) -> None:
        """Take an opened table."""
        self.points = points
        self.ref = ref

    def __getattr__(self, name: str) -> Any:
        """Hand everything else to the table."""
        return getattr(self.points, name)

    def frame(self, **wanted: Any) -> Any:
        """Return rows as a pandas DataFrame; `box_um` and `columns` as in `read`."""
        import pandas as pd  # noqa: PLC0415 - an extra

        return pd.DataFrame(self.points.read(**wanted))

    def __repr__(self) -> str:
        """Describe the table in a line."""
        return f"<points {self.ref}: {self.points.count} rows, {', '.join(self.points.columns)}>"

    def _repr_html_(self) -> str:
        first = {name: values[:_ROWS] for name, values in self.points.read().items()}
        head = "".join(f"<th>{html.escape(name)}</th>" for name in first)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_plain(cell))}</td>" for cell in row) + "</tr>"
            for row in zip(*first.values(), strict=True)
        )
        title = f"<b>{html.escape(self.ref)}</b>: {self.points.count} rows"
        return f"{title}<table><tr>{head}</tr>{body}</table>"


def _made(run: dict[str, Any] | None) -> str:
    """Say in a line which run made a thing."""
    if not run:
        return "unknown"
    inputs = ", ".join(str(port["ref"]) for port in run["inputs"]) or f"{run['files']} files"
    person = f", by {run['person']}" if run["person"] else ""
    return f"{run['tool']} {run['version']} from {inputs}, {str(run['started'])[:10]}{person}"


def _table(rows: dict[str, str]) -> str:
    lines = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"


def _times(numbers: Iterable[object]) -> str:
    return " \u00d7 ".join(map(str, numbers))


def _plain(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float | np.floating) else str(cell)


def _png(grey: NDArray[np.uint8]) -> bytes:
    from PIL import Image  # noqa: PLC0415 - only where a picture is drawn

    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()
