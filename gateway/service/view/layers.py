"""Neuroglancer layers: one per channel of an image, one per labels, points, mesh or skeleton."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gateway.service.view.contrast import display_window
from gateway.volumes.dataset import Entry
from gateway.volumes.points import PointsTable
from gateway.volumes.volume import Volume

_WHITE = "FFFFFF"
_COLOURS = ("00FF00", "FF00FF", "00B4FF", "FFC800", "FF3C3C", "FFFFFF")
"""Given to channels that all are said to be white: told apart by eyes that see no red too."""
_POINT_COLOURS = ("#ffd400", "#00e5ff", "#ff6ec7", "#9dff5c", "#ff9340")

IMAGE_SHADER = """#uicontrol invlerp contrast
#uicontrol vec3 colour color
void main() {
  emitRGB(colour * contrast());
}
"""
POINTS_SHADER = """#uicontrol vec3 colour color
#uicontrol float size slider(min=1, max=20, step=0.5)
#uicontrol float fill slider(min=0, max=1)
void main() {
  setPointMarkerColor(vec4(colour, fill));
  setPointMarkerBorderColor(vec4(colour, 1.0));
  setPointMarkerSize(size);
  setPointMarkerBorderWidth(1.0);
}
"""
_POINT_SIZE = 5.0
_POINT_FILL = 0.25
"""What lies under a point stays to be seen, such as the nucleus that it marks."""
_POINT_SPACING = 6.0
"""Pixels between points that the viewer aims for: finer levels load as one comes nearer."""


CHECKER_SHADER = """#uicontrol invlerp contrast
#uicontrol vec3 colour color
#uicontrol float field slider(min=4, max=200, step=1)
#uicontrol bool swap checkbox
void main() {
  // where this pixel lies in the data, in pixels of the screen along its two directions: the
  // fields hold still when one moves through the data, and are as large at every zoom and level
  vec3 at = vChunkPosition + uTranslation;
  vec3 right = dFdx(vChunkPosition);
  vec3 down = dFdy(vChunkPosition);
  float u = dot(at, right) / max(dot(right, right), 1e-20);
  float v = dot(at, down) / max(dot(down, down), 1e-20);
  bool odd = mod(floor(u / field) + floor(v / field), 2.0) >= 0.5;
  if (odd == swap) {
    emitTransparent();
  } else {
    emitRGB(colour * contrast());
  }
}
"""


def volume_url(base: str, dataset: str, name: str) -> str:
    """Return the Neuroglancer source of a volume that this service serves under `base`."""
    return f"{base}/data/{dataset}/{name}.ome.zarr/|zarr3:"


def points_url(base: str, dataset: str, name: str) -> str:
    """Return the Neuroglancer source of a points table."""
    return f"precomputed://{base}/data/{dataset}/{name}.points"


def image_layers(
    entry: Entry, volume: Volume, base: str, *, rendering: str
) -> Iterator[dict[str, Any]]:
    """Yield a layer per channel, additive where there are several."""
    info = volume.info
    name = entry.ref.name
    colours = channel_colours(volume)
    for number, channel in enumerate(info.channels):
        layer: dict[str, Any] = {
            "type": "image",
            "name": name if len(info.channels) == 1 else f"{name} · {channel.name}",
            "source": {"url": volume_url(base, entry.ref.dataset, name)},
            "localDimensions": {"c'": [1, ""]},
            "localPosition": [number],
            "shader": IMAGE_SHADER,
            "shaderControls": {
                "contrast": contrast_control(volume, number),
                "colour": f"#{colours[number].lower()}",
            },
            "opacity": 1,
        }
        if len(info.channels) > 1:
            layer["blend"] = "additive"
        if rendering != "off":
            layer["volumeRendering"] = rendering
        yield layer


def contrast_control(volume: Volume, channel: int) -> dict[str, Any]:
    """Return the `invlerp` control of a channel: its range, and a slider with room around it."""
    low, high = display_window(volume, channel)
    room = high - low
    window = [low - room / 4, high + room]
    dtype = np.dtype(volume.info.dtype)
    if dtype.kind not in "iu":
        return {"range": [low, high], "window": window}
    # the viewer drops the whole control for one bound that the data type cannot hold
    least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def whole(value: float) -> int:
        return min(max(round(value), least), most)

    first = min(whole(low), most - 1)
    return {
        "range": [first, max(whole(high), first + 1)],
        "window": [whole(window[0]), max(whole(window[1]), first + 1)],
    }


def channel_colours(volume: Volume) -> list[str]:
    """Return the colour of each channel; where all are white, colours that can be told apart."""
    said = [channel.colour.upper() for channel in volume.info.channels]
    if len(said) > 1 and set(said) == {_WHITE}:
        return [_COLOURS[number % len(_COLOURS)] for number in range(len(said))]
    return said


def labels_layer(entry: Entry, base: str) -> dict[str, Any]:
    """Return the segmentation layer of labels, all of them shown."""
    return {
        "type": "segmentation",
        "name": entry.ref.name,
        "source": {"url": volume_url(base, entry.ref.dataset, entry.ref.name)},
        "localDimensions": {"c'": [1, ""]},
        "localPosition": [0],
        "selectedAlpha": 0.4,
        "notSelectedAlpha": 0.2,
    }


def points_layer(entry: Entry, table: PointsTable, base: str, number: int) -> dict[str, Any]:
    """Return the annotation layer of a points table."""
    del table
    return {
        "type": "annotation",
        "name": entry.ref.name,
        "source": {"url": points_url(base, entry.ref.dataset, entry.ref.name)},
        "shader": POINTS_SHADER,
        "shaderControls": {
            "colour": _POINT_COLOURS[number % len(_POINT_COLOURS)],
            "size": _POINT_SIZE,
            "fill": _POINT_FILL,
        },
        "crossSectionAnnotationSpacing": _POINT_SPACING,
        "projectionAnnotationSpacing": _POINT_SPACING,
    }


def precomputed_layer(entry: Entry, base: str) -> dict[str, Any]:
    """Return the layer of a mesh or skeleton."""
    ref = entry.ref
    return {
        "type": "segmentation",
        "name": ref.name,
        "source": {"url": f"precomputed://{base}/data/{ref.dataset}/{ref.name}.{entry.kind}"},
    }
