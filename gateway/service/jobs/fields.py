"""The fields of a tool's form, made from its JSON schema: what a page shows and what it reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.service.toolbox import list_settings
from gateway.toolkit.spec import ToolSpec

FieldKind = Literal["number", "switch", "choice", "text", "method"]
_UNITS = {"um": "µm", "um3": "µm³", "s": "s", "voxels": "voxels", "degrees": "°"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the methods of a field."""

    kind: str
    help: str
    fields: "tuple[FormField, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One setting as a form shows it."""

    name: str
    """As the form sends it: `set.diameter_um`, `set.method.manual.level`."""
    label: str
    kind: FieldKind
    unit: str = ""
    help: str = ""
    takes: str = ""
    """In words: `a number > 0 and <= 500`."""
    default: str = ""
    required: bool = False
    bounds: Mapping[str, Any] = field(default_factory=dict)
    """`min`, `max`, `step` of a number."""
    choices: tuple[str, ...] = ()
    methods: tuple[Choice, ...] = ()


def setting_fields(spec: ToolSpec) -> tuple[FormField, ...]:
    """Return the fields of a tool's settings, in the order of its signature."""
    schema = spec.params.model_json_schema()
    words = {item.name: item.takes for item in list_settings(spec)}
    return tuple(_fields(schema, schema.get("$defs", {}), "set.", words))


def walk_fields(fields: tuple[FormField, ...]) -> Iterator[FormField]:
    """Yield every field, those inside methods after the choice they belong to."""
    for item in fields:
        yield item
        for method in item.methods:
            yield from walk_fields(method.fields)


def label_of(name: str) -> tuple[str, str]:
    """Return the name of a setting as people read it, and the unit it ends in."""
    words = name.split("_")
    unit = _UNITS.get(words[-1], "") if len(words) > 1 else ""
    if unit:
        words.pop()
    return " ".join(words).capitalize(), unit


def _fields(
    schema: Mapping[str, Any], defs: Mapping[str, Any], prefix: str, words: Mapping[str, str]
) -> Iterator[FormField]:
    needed = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        if "const" in given:
            continue  # the kind of a method, which the choice itself sends
        yield _field(name, given, defs, prefix, required=name in needed, words=words)


def _field(
    name: str,
    given: Mapping[str, Any],
    defs: Mapping[str, Any],
    prefix: str,
    *,
    required: bool,
    words: Mapping[str, str],
) -> FormField:
    part = _one(given, defs)
    label, unit = label_of(name)
    methods = _methods(part, defs, f"{prefix}{name}.", words)
    takes = words.get(f"{prefix}{name}".removeprefix("set."), "")
    return FormField(
        name=f"{prefix}{name}",
        label=label,
        unit=unit,
        kind=_kind(part, methods),
        help=given.get("description", part.get("description", "")),
        takes=takes.partition(", default")[0],
        default=_text(given.get("default"), methods),
        required=required,
        bounds=_bounds(part),
        choices=tuple(map(str, part.get("enum", ()))),
        methods=methods,
    )


def _one(given: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a schema that a form shows: what is not null, references resolved."""
    part = given
    if "$ref" in part:
        part = {**defs[part["$ref"].rpartition("/")[2]], **part}
    options = [item for item in part.get("anyOf", ()) if item.get("type") != "null"]
    if len(options) == 1:
        return _one(options[0], defs)
    return part


def _methods(
    part: Mapping[str, Any], defs: Mapping[str, Any], prefix: str, words: Mapping[str, str]
) -> tuple[Choice, ...]:
    mapping = part.get("discriminator", {}).get("mapping", {})
    kinds = {place: kind for kind, place in mapping.items()}
    found = []
    for item in part.get("oneOf", ()) if kinds else ():  # in the order the author wrote them
        kind, model = kinds[item["$ref"]], defs[item["$ref"].rpartition("/")[2]]
        inner = tuple(_fields(model, defs, f"{prefix}{kind}.", words))
        found.append(Choice(kind=kind, help=model.get("description", ""), fields=inner))
    return tuple(found)


def _kind(part: Mapping[str, Any], methods: tuple[Choice, ...]) -> FieldKind:
    if methods:
        return "method"
    if "enum" in part:
        return "choice"
    kinds: dict[Any, FieldKind] = {"number": "number", "integer": "number", "boolean": "switch"}
    return kinds.get(part.get("type"), "text")


def _bounds(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a number field; an open bound is left to the server."""
    if part.get("type") not in ("number", "integer"):
        return {}
    lowest = part.get("minimum", part.get("exclusiveMinimum"))
    highest = part.get("maximum", part.get("exclusiveMaximum"))
    step = "1" if part["type"] == "integer" else "any"
    bounds = {"min": lowest, "max": highest, "step": step}
    return {name: value for name, value in bounds.items() if value is not None}


def _text(default: Any, methods: tuple[Choice, ...]) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, dict):
        return str(default.get("kind", methods[0].kind if methods else ""))
    if isinstance(default, list):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)
