"""What may be in a layer: classes, shapes, positions, properties; each refusal names the value."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from gateway.errors import BoxError, CallError
from gateway.records.annotations import SHAPES, STATUSES, Fields, Layer, Shape
from gateway.volumes.box import Vector
from gateway.volumes.layer_columns import BORN, CHANGED, FIXED
from gateway.volumes.points import BoxUm

MOST_EDITS = 10_000
MOST_CLASSES = 200
_MOST_CORNERS = 1000
_LONGEST_NAME = 60
_LONGEST_TEXT = 4000
_LONGEST_PROPERTY = 100
_MOST_PROPERTIES = 100
_CORNERS: dict[Shape, tuple[int, int]] = {
    "point": (1, 1),
    "line": (2, 2),
    "box": (2, 2),
    "polygon": (3, _MOST_CORNERS),
}
_COLOURS = (
    "e6194b",
    "3cb44b",
    "ffe119",
    "4363d8",
    "f58231",
    "911eb4",
    "46f0f0",
    "f032e6",
    "bcf60c",
)
_KEYS = 9
_HEX = frozenset("0123456789abcdef")
_SLACK = 1e-9
"""Of the volume: what rounding may put a position beyond its face."""


def check_classes(given: Sequence[Mapping[str, Any] | str]) -> list[dict[str, Any]]:
    """Return classes with name, colour and key, filled in where they were not given.

    Raises:
        CallError: A name is empty, too long or twice, a colour or key is none.
    """
    if len(given) > MOST_CLASSES:
        raise CallError(f"{len(given)} classes are too many; at most {MOST_CLASSES}")
    classes: list[dict[str, Any]] = []
    asked = [{"name": item} if isinstance(item, str) else dict(item) for item in given]
    free = [n for n in range(1, _KEYS + 1) if n not in {item.get("key") for item in asked}]
    for number, item in enumerate(asked):
        name = item.get("name")
        if not _is_text(name) or not name.strip() or len(name) > _LONGEST_NAME:
            raise CallError(
                f"the class name {name!r} is not allowed; expected 1 to {_LONGEST_NAME} characters"
            )
        colour = str(item.get("color") or _COLOURS[number % len(_COLOURS)]).lower()
        if len(colour.removeprefix("#")) != 6 or not set(colour.removeprefix("#")) <= _HEX:  # noqa: PLR2004
            raise CallError(f"the color {colour!r} of class {name!r} is none; expected #rrggbb")
        key = item["key"] if "key" in item else (free.pop(0) if free else None)
        if key is not None and key not in range(1, _KEYS + 1):
            raise CallError(f"the key {key!r} of class {name!r} is none; expected 1 to {_KEYS}")
        classes.append({"name": name, "color": f"#{colour.removeprefix('#')}", "key": key})
    for what in ("name", "key"):
        values = [item[what] for item in classes if item[what] is not None]
        twice = {str(value) for value in values if values.count(value) > 1}
        if twice:
            raise CallError(f"the {what} {min(twice)!r} is given to two classes; use each once")
    return classes


def check_fields(layer: Layer, given: Mapping[str, Any], what: str, *, new: bool) -> Fields:
    """Return the fields that an edit sets, checked.

    Args:
        layer: The layer; classes must be of it, positions inside its volume.
        given: The fields as they were sent.
        what: How messages name the edit.
        new: Whether the edit makes an object: all fields are then filled in.

    Raises:
        CallError: A field is unknown or has a value that it cannot have.
        BoxError: A position lies outside the volume.
    """
    unknown = sorted(set(given) - _CHECKS.keys() - {"shape"})
    if unknown:
        raise CallError(f"{what} sets {unknown[0]!r}; expected some of shape, {', '.join(_CHECKS)}")
    fields: Fields = {}
    if new or "points" in given or "shape" in given:
        fields["shape"] = _check_shape(given.get("shape", "point"), what)
        fields["points"] = _check_points(layer, fields["shape"], given.get("points"), what)
    for name, check in _CHECKS.items():
        if name in given and name != "points":
            fields[name] = check(layer, given[name], what)
    if new:
        blank: Fields = {"class": None, "status": "undecided", "comment": "", "properties": {}}
        fields = {**blank, **fields}
        kept = {name: value for name, value in fields["properties"].items() if value is not None}
        fields["properties"] = kept
    if not fields:
        raise CallError(f"{what} sets nothing; expected some of {', '.join(_CHECKS)}")
    return fields


def check_status(value: Any, what: str) -> str:
    """Return a status.

    Raises:
        CallError: There is none of that name.
    """
    if value not in STATUSES:
        raise CallError(f"{what} has the status {value!r}; expected one of {', '.join(STATUSES)}")
    return str(value)


def check_class(layer: Layer, value: Any, what: str) -> str | None:
    """Return the name of a class of the layer, or None for no class.

    Raises:
        CallError: The layer has none of that name.
    """
    names = [item["name"] for item in layer.classes]
    if value is None or value in names:
        return None if value is None else str(value)
    there = ", ".join(names) or "none yet: its editors add them"
    raise CallError(f"{what} has the class {value!r}; {layer.ref} has {there}")


def parse_box(text: str, what: str = "box") -> BoxUm:
    """Parse `z0:z1,y0:y1,x0:x1` in micrometres.

    Raises:
        BoxError: It is not of that form, or empty.
    """
    expected = "expected z0:z1,y0:y1,x0:x1 in micrometres"
    try:
        pairs = [[float(value) for value in part.split(":")] for part in text.split(",")]
        (az, bz), (ay, by), (ax, bx) = pairs
    except ValueError as error:
        raise BoxError(f"the {what} {text[:80]!r} is not of that form; {expected}") from error
    if not all(math.isfinite(value) for pair in pairs for value in pair):
        raise BoxError(f"the {what} {text[:80]!r} has a side that is not finite; {expected}")
    if az >= bz or ay >= by or ax >= bx:
        raise BoxError(f"the {what} {text[:80]!r} is empty: a side ends before it begins")
    return (az, ay, ax), (bz, by, bx)


def _check_shape(value: Any, what: str) -> Shape:
    for shape in SHAPES:
        if value == shape:
            return shape
    raise CallError(f"{what} has the shape {value!r}; expected one of {', '.join(SHAPES)}")


def _check_points(layer: Layer, shape: Shape, value: Any, what: str) -> list[list[float]]:
    least, most = _CORNERS[shape]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise CallError(f"{what} has the points {value!r}; expected a list of [z,y,x]")
    if not least <= len(value) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise CallError(f"{what} is a {shape} of {len(value)} points; expected {expected}")
    return [list(check_position(layer, point, what)) for point in value]


def check_position(layer: Layer, value: Any, what: str) -> Vector:
    """Return a position inside the volume.

    Raises:
        CallError: It is not three finite numbers.
        BoxError: It lies outside the volume.
    """
    numbers = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3  # noqa: PLR2004
    if not numbers or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in value
    ):
        raise CallError(
            f"{what} has the position {value!r}; "
            "expected three finite numbers, z,y,x in micrometres"
        )
    z, y, x = (float(n) for n in value)
    for axis, at, low, high in zip("zyx", (z, y, x), *layer.bounds_um, strict=True):
        slack = (high - low) * _SLACK
        if not low - slack <= at <= high + slack:
            raise BoxError(
                f"{what} has {axis} = {at:g} um, outside the volume "
                f"{layer.dataset}/{layer.volume}, which reaches from {low:g} to {high:g} um"
            )
    return (z, y, x)


def check_comment(layer: Layer, value: Any, what: str) -> str:
    """Return a comment.

    Raises:
        CallError: It is no text, or too long.
    """
    del layer
    if not _is_text(value):
        raise CallError(
            f"{what} has the comment {str(value)[:40]!r}; "
            f"expected text of at most {_LONGEST_TEXT} characters"
        )
    return value


def check_properties(layer: Layer, value: Any, what: str) -> dict[str, Any]:
    """Return properties: text, numbers, true or false by name; None takes one away.

    Raises:
        CallError: A name or value is not allowed, or there are too many.
    """
    del layer
    if not isinstance(value, Mapping) or len(value) > _MOST_PROPERTIES:
        raise CallError(f"{what} has no properties by name, or more than {_MOST_PROPERTIES}")
    for name, item in value.items():
        if not _is_text(name) or not name.isprintable() or not 0 < len(name) <= _LONGEST_PROPERTY:
            raise CallError(f"{what} has a property {name!r}; expected a name of printable text")
        if name in RESERVED:
            raise CallError(f"{what} has a property {name!r}, which is a column of every layer")
        plain = item is None or isinstance(item, bool | int | float | str)
        finite = not isinstance(item, float) or math.isfinite(item)
        # JSON databases and tables keep 64 bits
        fits = not isinstance(item, int) or -(2**63) <= item < 2**63
        short = not isinstance(item, str) or _is_text(item)
        if not (plain and finite and fits and short):
            raise CallError(
                f"{what} sets the property {name!r} to {json.dumps(item, default=str)[:60]}; "
                "expected short text, a finite number of 64 bits, true, false or null"
            )
    return dict(value)


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether a value is text of a length that every database and file format keeps."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\x00" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


RESERVED = frozenset({*FIXED, BORN, CHANGED})
"""Columns that every exported layer has, or that a layer in the folder has."""

_CHECKS: dict[str, Any] = {
    "points": None,
    "class": check_class,
    "status": lambda _, value, what: check_status(value, what),
    "comment": check_comment,
    "properties": check_properties,
}
