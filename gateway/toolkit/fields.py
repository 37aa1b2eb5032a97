"""The settings of a tool as a form shows them: one description for writing and for reading it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.toolkit.spec import ToolSpec

FieldKind = Literal["integer", "float", "boolean", "select", "text", "list", "vector", "choice"]
_SCALARS: dict[str, FieldKind] = {
    "integer": "integer",
    "number": "float",
    "boolean": "boolean",
    "string": "text",
}
_AXES = {2: "yx", 3: "zyx", 4: "czyx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a number may be; None where there is no bound."""

    least: float | None = None
    above: float | None = None
    """It must be greater than this."""
    most: float | None = None
    below: float | None = None
    """It must be less than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting."""

    name: str
    label: str
    help: str
    kind: FieldKind
    required: bool = False
    optional: bool = False
    """It may be left empty, which is a value of its own."""
    default: Any = None
    bounds: Bounds = Bounds()
    numeric: bool = False
    """Of a text: digits alone are a number, not a name."""
    options: tuple[str, ...] = ()
    """Of a select."""
    parts: tuple["Field", ...] = ()
    """Of a vector: one number an axis."""
    switch: str = ""
    """Of a choice: the field that says which branch is meant."""
    branches: tuple[tuple[str, str, tuple["Field", ...]], ...] = ()
    """Of a choice: value, title, fields."""


def fields_of(spec: ToolSpec) -> tuple[Field, ...]:
    """Return the settings of a tool, in the order of its signature."""
    return fields_of_schema(spec.params.model_json_schema())


def fields_of_schema(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the settings that the JSON Schema of a tool's `params` describes."""
    return _fields(schema, schema.get("$defs", {}))


def _fields(schema: Mapping[str, Any], defs: dict[str, Any], but: str = "") -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        _field(name, field, defs, required=name in required)
        for name, field in schema.get("properties", {}).items()
        if name != but
    )


def _field(name: str, schema: dict[str, Any], defs: dict[str, Any], *, required: bool) -> Field:
    common: dict[str, Any] = {
        "name": name,
        "label": label(name),
        "help": " ".join(schema.get("description", "").split()),
        "required": required,
        "default": schema.get("default"),
    }
    schema = _resolved(schema, defs)
    if "discriminator" in schema:
        return _choice(common, schema, defs)
    variants = [_resolved(part, defs) for part in schema.get("anyOf", [schema])]
    given = [part for part in variants if part.get("type") != "null"]
    common["optional"] = len(given) < len(variants)
    if len(given) > 1:  # a number or a name: text says both
        numeric = any(part.get("type") == "integer" for part in given)
        return Field(**common, kind="text", numeric=numeric)
    (only,) = given
    if "enum" in only:
        return Field(**common, kind="select", options=tuple(map(str, only["enum"])))
    if "prefixItems" in only:
        return _vector(common, only, defs)
    if only.get("type") == "array":
        return Field(**common, kind="list")
    return Field(**common, kind=_SCALARS[only["type"]], bounds=_bounds(only))


def _resolved(schema: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return defs[reference.rpartition("/")[2]] if reference else schema


def _vector(common: dict[str, Any], schema: dict[str, Any], defs: dict[str, Any]) -> Field:
    items = schema["prefixItems"]
    axes = _AXES.get(len(items)) or [str(n) for n in range(len(items))]
    defaults = common["default"] or [None] * len(items)
    parts = []
    for axis, item, default in zip(axes, items, defaults, strict=True):
        part = _field(axis, {**item, "default": default}, defs, required=common["required"])
        empty = common["optional"] or part.optional
        known = {name: getattr(part, name) for name in ("kind", "bounds", "options", "required")}
        parts.append(
            Field(name=axis, label=axis, help="", default=default, optional=empty, **known)
        )
    return Field(**common, kind="vector", parts=tuple(parts))


def _choice(common: dict[str, Any], schema: dict[str, Any], defs: dict[str, Any]) -> Field:
    switch = schema["discriminator"]["propertyName"]
    branches = []
    values = {reference: value for value, reference in schema["discriminator"]["mapping"].items()}
    for reference in (item["$ref"] for item in schema["oneOf"]):  # in the order of the author
        value = values[reference]
        branch = defs[reference.rpartition("/")[2]]
        title = " ".join(branch.get("description", value).split()).rstrip(".")
        branches.append((value, title, _fields(branch, defs, but=switch)))
    return Field(**common, kind="choice", switch=switch, branches=tuple(branches))


def _bounds(schema: dict[str, Any]) -> Bounds:
    return Bounds(
        least=schema.get("minimum"),
        above=schema.get("exclusiveMinimum"),
        most=schema.get("maximum"),
        below=schema.get("exclusiveMaximum"),
    )


def label(name: str) -> str:
    """Return the name of a setting as people read it: `diameter_um` is `Diameter (µm)`."""
    unit = " (µm)" if name.endswith("_um") else " (voxels)" if name.endswith("_voxels") else ""
    words = name.removesuffix("_um").removesuffix("_voxels").replace("_", " ")
    return words[:1].upper() + words[1:] + unit
