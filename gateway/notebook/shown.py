"""What a view shows: which things of which datasets, and rows of the reader's own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gateway.client.session import Session
from gateway.errors import CallError
from gateway.volumes.box import Vector
from gateway.volumes.ref import parse_dataset, parse_ref
from gateway.volumes.volume import Volume

POSITION = ["z_um", "y_um", "x_um"]
_MOST_OWN = 20_000
_SHOWN = ("image", "labels", "points", "mesh", "skeleton")
_SHADER = """#uicontrol vec3 colour color(default="#ff6ec7")
#uicontrol float size slider(min=1, max=20, step=0.5, default=7)
void main() {
  setPointMarkerColor(vec4(colour, 0.3));
  setPointMarkerBorderColor(vec4(colour, 1.0));
  setPointMarkerSize(size);
  setPointMarkerBorderWidth(1.0);
}
"""


def ref_of(thing: Any) -> str:
    """Return the ref of something opened, or the text itself.

    Raises:
        CallError: It is neither.
    """
    ref = getattr(thing, "ref", thing)
    if not isinstance(ref, str):
        raise CallError(
            f"{type(thing).__name__} is nothing of a gateway; expected a ref such as 'm1/raw', "
            "what nb.open(ref) returns, or the result of a tool"
        )
    return ref


def positions_of(session: Session, thing: Any) -> NDArray[np.float64]:
    """Return the positions of a table, rows zyx in micrometres.

    Args:
        session: The gateway.
        thing: A ref, an opened table, or rows such as a DataFrame.

    Raises:
        CallError: It has none.
        NotFoundError: There is no such table, or it has no positions.
    """
    stored = isinstance(thing, str) or hasattr(thing, "ref")
    rows = session.points(ref_of(thing)).read(columns=tuple(POSITION)) if stored else thing
    try:
        return np.stack([np.asarray(rows[name], np.float64) for name in POSITION], axis=1)
    except (KeyError, TypeError, IndexError) as error:
        raise CallError(
            f"{type(thing).__name__} has no positions; expected a ref or rows with the columns "
            "z_um, y_um and x_um"
        ) from error


class Shown:
    """Things of a gateway, by dataset."""

    def __init__(self, session: Session, things: tuple[Any, ...]) -> None:
        """Find them.

        Raises:
            NotFoundError: There is nothing of that name, or one may not see it.
            CallError: There is nothing to show.
        """
        self._session = session
        self.datasets: dict[str, list[str]] = {}
        """Dataset to the names of its things; no names means all of them."""
        self._kinds: dict[str, str] = {}
        self._frames: dict[str, Any] = {}
        for thing in things:
            refs = list(thing.refs.values()) if hasattr(thing, "refs") else [ref_of(thing)]
            for ref in refs:
                self._add(ref)
        if not self._kinds:
            raise CallError("there is nothing to show; give a ref: nb.view('m1/raw')")

    def _add(self, ref: str) -> None:
        if "/" in ref:
            parsed = parse_ref(ref)
            self._kinds[ref] = str(self._session.show(ref)["entry"]["kind"])
            self.datasets.setdefault(parsed.dataset, []).append(parsed.name)
            return
        entries = self._session.dataset(parse_dataset(ref))["entries"]
        for entry in entries:
            if entry["kind"] in _SHOWN:
                self._add(entry["ref"])

    def frame(self, layer: str) -> Any:
        """Return the rows of the table that a layer shows, in the order of its file.

        Raises:
            CallError: The layer shows no table.
        """
        ref = next((r for r in self._kinds if layer in (r, r.partition("/")[2])), None)
        if ref is None or self._kinds[ref] != "points":
            tables = [r for r, kind in self._kinds.items() if kind == "points"]
            raise CallError(f"the layer {layer!r} is no table; tables are {', '.join(tables)}")
        if ref not in self._frames:
            self._frames[ref] = pd.DataFrame(self._session.points(ref).read())
        return self._frames[ref]

    def bounds_um(self) -> tuple[Vector, Vector]:
        """Return the box around all volumes and tables, zyx in micrometres."""
        lows, highs = [], []
        for ref, kind in self._kinds.items():
            if kind not in ("image", "labels", "points"):
                continue
            thing = self._session.open(ref)
            if isinstance(thing, Volume):
                info = thing.info
                lows.append(np.asarray(info.origin_um))
                highs.append(lows[-1] + np.asarray(info.shape) * np.asarray(info.voxel_um))
            elif thing.bounds_um is not None:
                lows.append(np.asarray(thing.bounds_um[0]))
                highs.append(np.asarray(thing.bounds_um[1]))
        low = np.min(lows, axis=0) if lows else np.zeros(3)
        high = np.max(highs, axis=0) if highs else np.ones(3)
        return tuple(low.tolist()), tuple(high.tolist())


@dataclass(frozen=True, slots=True)
class OwnPoints:
    """Rows that are in this notebook only."""

    frame: Any
    layer: dict[str, Any]
    """As Neuroglancer takes it."""


def own_points(name: str, rows: Any) -> OwnPoints:
    """Return rows as a layer of points.

    Raises:
        CallError: They have no positions, or there are too many to be sent in a message.
    """
    frame = pd.DataFrame(rows)
    missing = [column for column in POSITION if column not in frame]
    if missing:
        have = ", ".join(map(str, frame.columns)) or "none"
        raise CallError(
            f"the rows {name!r} lack {missing[0]}; expected the columns z_um, y_um and x_um in "
            f"micrometres, got {have}"
        )
    if len(frame) > _MOST_OWN:
        raise CallError(
            f"{name!r} has {len(frame)} rows; a view takes {_MOST_OWN} from a notebook: take a "
            "part, or put the table into the gateway and name its ref"
        )
    at = frame[POSITION].to_numpy(np.float64)
    space = {axis: [1e-6, "m"] for axis in "xyz"}
    layer = {
        "type": "annotation",
        "name": name,
        "source": {"url": "local://annotations", "transform": {"outputDimensions": space}},
        "annotations": [
            {"type": "point", "id": str(number), "point": row[::-1]}
            for number, row in enumerate(at.tolist())
        ],
        "shader": _SHADER,
    }
    return OwnPoints(frame, layer)
