"""States that lay two volumes over each other or side by side, to judge how well they align.

The checkerboard is drawn by the shader of the upper layer, which leaves every other field open to
the lower one: both volumes stay on their own grids, at any level, and nothing is resampled.
"""

from typing import Any, Literal

from gateway.errors import BoxError, CallError
from gateway.service.gateway import Gateway
from gateway.service.view.layers import (
    CHECKER_SHADER,
    IMAGE_SHADER,
    contrast_control,
    volume_url,
)
from gateway.service.view.states import Placed, entries_there, navigation, open_shown
from gateway.volumes.volume import Volume

Mode = Literal["blend", "checkerboard", "opposing"]

_GREEN, _MAGENTA, _WHITE = "#00ff00", "#ff00ff", "#ffffff"
_FIELD_PIXELS = 40


def compare_state(
    gateway: Gateway,
    dataset: str,
    base: str,
    first: str,
    second: str,
    *,
    mode: Mode = "blend",
    channels: tuple[int, int] = (0, 0),
    visible: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Return the state that shows two volumes of a dataset against each other.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        base: What leads the URLs of the data, without a slash at the end.
        first: An image or labels.
        second: Another one.
        mode: `blend` is green for the first, magenta for the second, white where both agree;
            `checkerboard` alternates fields; `opposing` stands side by side and moves together.
        channels: Which channel of each.
        visible: The entries that whoever asks may know of; None means all.

    Raises:
        NotFoundError: There is no such dataset or entry.
        CallError: One is no volume, or both are the same.
        BoxError: A volume has no such channel.
        StoreError: The storage failed.
    """
    if (first, channels[0]) == (second, channels[1]):
        raise CallError(f"{first} is compared with itself; choose another volume or channel")
    there = entries_there(gateway, dataset, (first, second), visible)
    below = open_shown(gateway, there[first])
    above = open_shown(gateway, there[second])
    colours = (_GREEN, _MAGENTA) if mode == "blend" else (_WHITE, _WHITE)
    lower = _layer(below, channels[0], base, colours[0], "first")
    upper = _layer(above, channels[1], base, colours[1], "second")
    layout: Any = {"type": "4panel-alt", "orthographicProjection": True}
    if mode == "blend":
        lower["blend"] = upper["blend"] = "additive"
    elif mode == "checkerboard":
        upper["shader"] = CHECKER_SHADER
        upper["shaderControls"] |= {"field": _FIELD_PIXELS, "swap": False}
    else:
        layout = {
            "type": "row",
            "children": [
                {"type": "viewer", "layers": [layer["name"]], "layout": "xy"}
                for layer in (lower, upper)
            ],
        }
    return {
        **navigation([below, above]),
        "layers": [lower, upper],
        "showScaleBar": True,
        "showAxisLines": True,
        "layout": layout,
        "title": f"{dataset}: {first} and {second}",
    }


def _layer(placed: Placed, channel: int, base: str, colour: str, role: str) -> dict[str, Any]:
    entry, volume = placed.entry, placed.thing
    if not isinstance(volume, Volume):
        raise CallError(f"{entry.ref} is a {entry.kind}; only images and labels are compared")
    count = len(volume.info.channels)
    if not 0 <= channel < count:
        raise BoxError(f"{entry.ref} has no channel {channel}; there are 0 to {count - 1}")
    contrast = contrast_control(volume, channel)
    if volume.info.kind == "labels":  # where there is a label, not which
        contrast = {"range": [0, 1], "window": [0, 1]}
    name = volume.info.channels[channel].name
    return {
        "type": "image",
        "name": f"{role}: {entry.ref.name}" + (f" · {name}" if count > 1 else ""),
        "source": {"url": volume_url(base, entry.ref.dataset, entry.ref.name)},
        "localDimensions": {"c'": [1, ""]},
        "localPosition": [channel],
        "shader": IMAGE_SHADER,
        "shaderControls": {"contrast": contrast, "colour": colour},
        "opacity": 1,
    }
