"""The fields of a tool's form as a page names and shows them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.service.toolbox import list_settings
from gateway.toolkit.fields import Field, fields_of
from gateway.toolkit.spec import ToolSpec

FieldKind = Literal["number", "switch", "choice", "text", "method"]
_KINDS: Mapping[str, FieldKind] = {
    "integer": "number",
    "float": "number",
    "boolean": "switch",
    "select": "choice",
    "choice": "method",
}
"""How a page shows the kinds of the toolkit; the others are texts."""
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
    words = {item.name: item.takes for item in list_settings(spec)}
    return tuple(_shown(given, "set.", words) for given in fields_of(spec))


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


def _shown(given: Field, prefix: str, words: Mapping[str, str]) -> FormField:
    """Return a setting as the form shows it, and those of its methods."""
    label, unit = label_of(given.name)
    name = f"{prefix}{given.name}"
    methods = tuple(
        Choice(
            kind=value,
            help=f"{title}." if title else "",
            fields=tuple(_shown(item, f"{name}.{value}.", words) for item in inner),
        )
        for value, title, inner in given.branches
    )
    return FormField(
        name=name,
        label=label,
        unit=unit,
        kind=_KINDS.get(given.kind, "text"),
        help=given.help,
        takes=words.get(name.removeprefix("set."), "").partition(", default")[0],
        default=_text(given, methods),
        required=given.required,
        bounds=_bounds(given),
        choices=given.options,
        methods=methods,
    )


def _bounds(given: Field) -> dict[str, Any]:
    """Return the attributes of a number field; an open bound is left to the server."""
    if given.kind not in ("integer", "float"):
        return {}
    known = given.bounds
    lowest = known.above if known.least is None else known.least
    highest = known.below if known.most is None else known.most
    step = "1" if given.kind == "integer" else "any"
    bounds = {"min": lowest, "max": highest, "step": step}
    return {name: value for name, value in bounds.items() if value is not None}


def _text(given: Field, methods: tuple[Choice, ...]) -> str:
    default = given.default
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, dict):
        return str(default.get(given.switch, methods[0].kind if methods else ""))
    if isinstance(default, list | tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)
