"""Three planes through a place, with sliders: what is looked at is read, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets

from gateway.client.session import Session
from gateway.notebook.planes import Look, Planes
from gateway.notebook.shown import positions_of, ref_of
from gateway.service.view.contrast import display_window
from gateway.volumes.volume import Volume

_STEPS = 400
_NAMES = ("z", "y", "x")


class Slices(widgets.VBox):  # type: ignore[misc]  # ipywidgets publishes no types
    """Orthogonal planes of a volume, with labels and points over them."""

    position_um = traitlets.List(traitlets.Float())
    """Where the planes cross, zyx in micrometres."""

    def __init__(
        self,
        session: Session,
        image: Any,
        *,
        labels: Any = None,
        points: Any = None,
        pixels: int = 420,
    ) -> None:
        """Show planes.

        Args:
            session: The gateway.
            image: The volume, as a ref or opened.
            labels: Labels to lay over it.
            points: A table, as a ref, opened or as rows, whose points are ringed.
            pixels: Longest side of a picture.

        Raises:
            NotFoundError: There is nothing of that name, or you may not see it.
            CallError: A ref names something else.
        """
        self._planes = Planes(
            _volume(session, image),
            longest=pixels,
            labels=None if labels is None else _volume(session, labels),
            points_um=np.empty((0, 3)) if points is None else positions_of(session, points),
        )
        self._busy = False
        info = self._planes.volume.info
        self.channel = widgets.Dropdown(
            options=[(channel.name, n) for n, channel in enumerate(info.channels)],
            description="channel",
        )
        """Which channel is shown."""
        self.contrast = widgets.FloatRangeSlider(
            description="contrast", readout_format=".0f", layout=widgets.Layout(width="28em")
        )
        """What is black and what is white."""
        self.over = widgets.ToggleButton(value=True, description="labels and points")
        """Whether anything is laid over the picture."""
        self.sliders = [self._slider(axis) for axis in range(3)]
        """Where the planes are: z, y, x."""
        self.pictures = [self._picture(axis) for axis in range(3)]
        """The planes across z, y and x, as PNG."""
        self._set_contrast()
        super().__init__(self._rows())
        self.position_um = [slider.value for slider in self.sliders]
        self._listen()
        self.redraw()

    def redraw(self, *axes: int) -> None:
        """Draw the planes across some axes anew; all of them where none is named."""
        look = Look(
            channel=self.channel.value,
            window=self.contrast.value,
            labels=self.over.value,
            points=self.over.value,
        )
        z, y, x = self.position_um
        for axis in axes or (0, 1, 2):
            self.pictures[axis].value = self._planes.draw(axis, (z, y, x), look)

    def _slider(self, axis: int) -> Any:
        low, high = (corner[axis] for corner in self._planes.bounds_um)
        step = self._planes.volume.info.voxel_um[axis]
        return widgets.FloatSlider(
            value=low + round((high - low) / 2 / step) * step,
            min=low,
            max=max(high, low + step),
            step=step,
            description=f"{_NAMES[axis]} µm",
            readout_format=".1f",
            layout=widgets.Layout(width="28em"),
        )

    def _picture(self, axis: int) -> Any:
        rows, columns = self._planes.size(axis)
        # no tooltip: JupyterLab fails to draw a picture that has one but no description
        return widgets.Image(
            width=columns,
            height=rows,
            layout=widgets.Layout(width=f"{columns}px"),
        )

    def _rows(self) -> list[Any]:
        side = widgets.VBox([self.pictures[0], self.pictures[1]])
        about = [self.contrast]
        if len(self._planes.volume.info.channels) > 1:
            about.insert(0, self.channel)
        if self._planes.labels is not None or len(self._planes.points_um):
            about.append(self.over)
        number = self._planes.level()
        said = widgets.HTML(f"level {number} of {len(self._planes.volume.info.levels)}")
        controls = widgets.VBox([*self.sliders, *about, said])
        return [widgets.HBox([side, widgets.VBox([_upright(self.pictures[2]), controls])])]

    def _listen(self) -> None:
        for axis, slider in enumerate(self.sliders):
            slider.observe(lambda _change, axis=axis: self._moved(axis), "value")
        self.observe(self._placed, "position_um")
        self.channel.observe(lambda _change: self._set_contrast(), "value")
        self.contrast.observe(lambda _change: self.redraw(), "value")
        self.over.observe(lambda _change: self.redraw(), "value")

    def _moved(self, axis: int) -> None:
        del axis
        if not self._busy:
            self.position_um = [slider.value for slider in self.sliders]

    def _placed(self, change: Any) -> None:
        with self._quiet():
            for slider, value in zip(self.sliders, change["new"], strict=True):
                slider.value = value
        self.redraw()

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Move the sliders without being told of it."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    @traitlets.validate("position_um")
    def _place(self, proposal: Any) -> Any:
        place = proposal["value"]
        if len(place) != 3:  # noqa: PLR2004 - z, y and x
            raise traitlets.TraitError(f"position_um is {place!r}; expected z, y and x")
        return np.clip(place, *self._planes.bounds_um).tolist()

    def _set_contrast(self) -> None:
        low, high = display_window(self._planes.volume, self.channel.value)
        room = high - low
        least, most = low - room / 4, high + room
        self.contrast.min, self.contrast.max = min(least, self.contrast.min), most
        self.contrast.value = (low, high)
        self.contrast.min, self.contrast.step = least, (most - least) / _STEPS


def _upright(picture: Any) -> Any:
    return widgets.Box([picture])


def _volume(session: Session, thing: Any) -> Volume:
    return thing if isinstance(thing, Volume) else session.volume(ref_of(thing))
