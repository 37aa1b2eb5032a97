"""Annotation layers and their objects, as values."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, get_args

from gateway.records.annotation_grid import Grid
from gateway.volumes.box import Vector
from gateway.volumes.points import BoxUm

Shape = Literal["point", "line", "box", "polygon"]
Status = Literal["undecided", "accepted", "rejected"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
STATUSES: tuple[Status, ...] = get_args(Status)

Fields = dict[str, Any]
"""Fields of an object by name, as an edit tells them: `shape`, `points`, `class`, `status`,
`comment`, `properties`, and `born` where the edit made or deleted the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An annotation layer of a volume."""

    id: int
    uid: str
    dataset: str
    name: str
    volume: str
    classes: list[dict[str, Any]]
    columns: list[str]
    lowest: Vector
    highest: Vector
    block_um: float
    extended: bool
    version: int
    count: int
    next_id: int
    made_by: str
    made: datetime
    changed: datetime
    stored: int
    snapshot: int

    @property
    def grid(self) -> Grid:
        """The blocks of the layer."""
        return Grid(self.lowest, self.block_um)

    @property
    def bounds_um(self) -> BoxUm:
        """The volume, where objects may be."""
        return self.lowest, self.highest

    @property
    def ref(self) -> str:
        """How messages name the layer."""
        return f"{self.dataset}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """An object of a layer; positions in micrometres, zyx."""

    id: int
    shape: Shape
    points: tuple[Vector, ...]
    """One for a point, two ends of a line, two corners of a box, the corners of a polygon."""
    label: str | None = None
    """Its class."""
    status: Status = "undecided"
    comment: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    born: int = 0
    """The version that made it."""
    version: int = 0
    """The version that last changed it."""

    @property
    def bounds_um(self) -> BoxUm:
        """The lowest and highest position per axis, both included."""
        if len(self.points) == 1:
            return self.points[0], self.points[0]
        zs, ys, xs = zip(*self.points, strict=True)
        return (min(zs), min(ys), min(xs)), (max(zs), max(ys), max(xs))

    @property
    def centre(self) -> Vector:
        """The middle of its bounds."""
        (az, ay, ax), (bz, by, bx) = self.bounds_um
        return ((az + bz) / 2, (ay + by) / 2, (ax + bx) / 2)

    def block(self, grid: Grid) -> int:
        """Return the key of its block."""
        low, high = self.bounds_um
        extent = max(b - a for a, b in zip(low, high, strict=True))
        return grid.key(self.centre, extent, point=self.shape == "point")

    def meets(self, box: BoxUm) -> bool:
        """Whether it reaches into a half-open box."""
        low, high = self.bounds_um
        return all(
            b >= start and a < stop for a, b, start, stop in zip(low, high, *box, strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the object as the API tells it."""
        return {
            "id": self.id,
            "shape": self.shape,
            "points": [list(point) for point in self.points],
            "class": self.label,
            "status": self.status,
            "comment": self.comment,
            "properties": self.properties,
            "version": self.version,
        }

    def fields(self) -> Fields:
        """Return all that an edit which makes or deletes the object keeps of it."""
        return {
            "shape": self.shape,
            "points": [list(point) for point in self.points],
            "class": self.label,
            "status": self.status,
            "comment": self.comment,
            "properties": dict(self.properties),
            "born": self.born,
        }

    def changed(self, fields: Fields, version: int) -> "Annotation":
        """Return the object with some fields set; a property set to None is taken away."""
        properties = {**self.properties, **fields.get("properties", {})}
        return replace(
            self,
            shape=fields.get("shape", self.shape),
            points=_points(fields["points"]) if "points" in fields else self.points,
            label=fields.get("class", self.label),
            status=fields.get("status", self.status),
            comment=fields.get("comment", self.comment),
            properties={name: value for name, value in properties.items() if value is not None},
            version=version,
        )

    def values_of(self, fields: Fields) -> Fields:
        """Return the values that the object has for the fields another one sets."""
        mine = self.fields()
        found = {name: mine[name] for name in fields if name not in ("properties", "born")}
        if "properties" in fields:
            found["properties"] = {n: self.properties.get(n) for n in fields["properties"]}
        return found


def annotation(number: int, fields: Fields, *, born: int, version: int) -> Annotation:
    """Return the object that an edit made, from all its fields."""
    return Annotation(
        id=number,
        shape=fields["shape"],
        points=_points(fields["points"]),
        label=fields.get("class"),
        status=fields.get("status", "undecided"),
        comment=fields.get("comment", ""),
        properties={n: v for n, v in fields.get("properties", {}).items() if v is not None},
        born=born,
        version=version,
    )


def field_names(fields: Fields) -> set[str]:
    """Return what an edit touches, each property for itself: two people may set different ones."""
    names = {name for name in fields if name not in ("properties", "born")}
    # a shape and its positions mean nothing apart
    names = {"points" if name == "shape" else name for name in names}
    return names | {f"properties.{name}" for name in fields.get("properties", {})}


def _points(values: Any) -> tuple[Vector, ...]:
    return tuple((float(z), float(y), float(x)) for z, y, x in values)
