"""The viewer in a notebook: Neuroglancer on the volumes of the gateway, in step with Python."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets

from gateway.client.session import Session
from gateway.errors import CallError, GatewayError
from gateway.notebook.service import browser_root
from gateway.notebook.shown import Shown, own_points

_HERE = Path(__file__).parent
PANELS = ("4panel-alt", "xy", "xz", "yz", "xy-3d", "3d", "4panel")
_HEIGHT = 520


class View(anywidget.AnyWidget):
    """Volumes, labels and points in a frame; what one does there is seen here, and the reverse."""

    _esm = _HERE / "viewer.js"
    _css = _HERE / "viewer.css"

    height = traitlets.Int(_HEIGHT).tag(sync=True)
    """Pixels."""
    position_um = traitlets.List(traitlets.Float(), allow_none=True, default_value=None).tag(
        sync=True
    )
    """Where the cross is, zyx in micrometres. Set it to move the view."""
    um_per_pixel = traitlets.Float(None, allow_none=True).tag(sync=True)
    """How many micrometres a pixel of the slices shows. Set it to zoom."""
    panels = traitlets.Enum(PANELS, default_value=None, allow_none=True).tag(sync=True)
    """Which panels there are: all four, one plane, or 3D alone."""
    layers = traitlets.Dict().tag(sync=True)
    """Layer to what is shown of it: visible, contrast, colour, size, opacity."""
    picked = traitlets.Dict().tag(sync=True)
    """What was clicked last: layer, type, id, position_um, and the value of every layer there."""
    settled = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether everything in view is drawn."""
    trouble = traitlets.Unicode("").tag(sync=True)
    """Why nothing is shown, if nothing is."""

    def __init__(
        self,
        session: Session,
        things: tuple[Any, ...],
        points: Mapping[str, Any] | None = None,
        **look: Any,
    ) -> None:
        """Show things of a gateway.

        Args:
            session: The gateway.
            things: Refs, opened things or results; a name without a slash is a whole dataset.
            points: Name to rows of your own with the columns z_um, y_um, x_um.
            look: Traits: `height`, `position_um`, `um_per_pixel`, `panels`, `layers`.

        Raises:
            NotFoundError: There is nothing of that name, or you may not see it.
            CallError: There is nothing to show, or rows have no positions.
        """
        self._session = session
        self._shown = Shown(session, things)
        self._own = {name: own_points(name, rows) for name, rows in (points or {}).items()}
        super().__init__(**look)
        self.on_msg(self._hear)

    @property
    def row(self) -> Any:
        """The row of the point that was clicked last, as a pandas Series; None before that."""
        if self.picked.get("type") != "annotation":
            return None
        layer, number = self.picked["layer"], int(self.picked["id"])
        if layer in self._own:
            return self._own[layer].frame.iloc[number]
        return self._shown.frame(layer).iloc[number]

    @property
    def label(self) -> int | None:
        """The number of the object that was clicked last, in its labels; None before that."""
        return int(self.picked["id"]) if self.picked.get("type") == "segmentation" else None

    def on_pick(self, call: Callable[["View"], None]) -> None:
        """Have a function called with this view whenever something is clicked."""
        self.observe(lambda _change: call(self), "picked")

    def show_layer(self, name: str, **wanted: Any) -> None:
        """Change a layer: `view.show_layer("raw", contrast=(100, 900), colour="#ff0000")`.

        Args:
            name: As `layers` has it.
            wanted: `visible`, `contrast`, `colour`, `size`, `opacity`.

        Raises:
            CallError: There is no such layer.
        """
        if name not in self.layers and self.layers:
            raise CallError(f"the view has no layer {name!r}; it has {', '.join(self.layers)}")
        self.layers = {**self.layers, name: {**self.layers.get(name, {}), **_plain(wanted)}}

    def sliders(self) -> ipywidgets.VBox:
        """Return three sliders of the position, in step with the view both ways."""
        low, high = self._shown.bounds_um()
        sliders = [
            ipywidgets.FloatSlider(
                value=(a + b) / 2, min=a, max=b, step=_step(b - a), description=f"{axis} µm"
            )
            for axis, a, b in zip("zyx", low, high, strict=True)
        ]

        def moved(_change: Any) -> None:
            self.position_um = [slider.value for slider in sliders]

        def follow(change: Any) -> None:
            for slider, value in zip(sliders, change["new"] or (), strict=False):
                slider.value = value

        follow({"new": self.position_um})
        for slider in sliders:
            slider.observe(moved, "value")
        self.observe(follow, "position_um")
        return ipywidgets.VBox(sliders)

    @traitlets.validate("position_um")
    def _place(self, proposal: Any) -> Any:
        place = proposal["value"]
        if place is not None and len(place) != 3:  # noqa: PLR2004 - z, y and x
            raise traitlets.TraitError(f"position_um is {place!r}; expected z, y and x")
        return place

    def _hear(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("ask") != "frame":
            return
        try:
            self.send(self._frame())
        except GatewayError as error:
            self.trouble = str(error)

    def _frame(self) -> dict[str, Any]:
        """Return where the frame is and what it shows; each asking lends anew, for some hours."""
        parts, root = [], ""
        for dataset, entries in self._shown.datasets.items():
            lent = self._session.lend(dataset)
            root = root or browser_root(self._session, lent)
            token = lent.path.strip("/").removeprefix("s/")
            parts.append({"token": token, "dataset": dataset, "entries": list(entries)})
        points = [own.layer for own in self._own.values()]
        return {"frame": f"{root}v/embedded/", "parts": parts, "points": points}


def _plain(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: np.asarray(value).tolist() if isinstance(value, tuple | list | np.ndarray) else value
        for name, value in wanted.items()
    }


def _step(extent: float) -> float:
    """Return a round step, about a thousandth of an extent: a browser rounds values to it."""
    return float(10.0 ** np.floor(np.log10(max(extent, 1e-6) / 500)))
