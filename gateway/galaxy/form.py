"""Reads the form that Galaxy wrote as JSON: the ports and the settings of a call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import CallError
from gateway.galaxy.formats import FILE_FORMATS
from gateway.toolkit.fields import Field, fields_of
from gateway.toolkit.spec import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What somebody filled in."""

    inputs: Mapping[str, Path]
    """Input port to the file that Galaxy keeps for it."""
    settings: Mapping[str, Any]
    outputs: tuple[str, ...]
    """Ports that are wanted."""
    suffixes: Mapping[str, str]
    """Output port of kind file to the end of its name, which tells the format."""
    dataset: str | None
    """Where results go; None leaves that to the first input."""


def read_form(spec: ToolSpec, document: Mapping[str, Any]) -> Form:
    """Return what a form says.

    Args:
        spec: The tool whose form it is.
        document: The JSON that Galaxy wrote, with paths of data inputs.

    Raises:
        CallError: A field is missing or of another kind than the form of this version has.
    """
    save = document.get("save") or {}
    if not isinstance(save, Mapping):
        raise CallError(f"{spec.id}: the section 'save' of the form is {save!r}; expected fields")
    inputs = {name: Path(_path(value)) for name in spec.inputs if (value := document.get(name))}
    outputs = tuple(
        name
        for name, port in spec.outputs.items()
        if not port.optional or (_true(save.get(f"make_{name}")) and _can_make(spec, name, inputs))
    )
    return Form(
        inputs=inputs,
        settings=_settings(spec, fields_of(spec), document),
        outputs=outputs,
        suffixes={name: _suffix(spec, document, name) for name in _files(spec)},
        dataset=str(save.get("dataset") or "").strip() or None,
    )


def _settings(
    spec: ToolSpec, fields: Iterable[Field], document: Mapping[str, Any]
) -> dict[str, Any]:
    settings = {}
    for field in fields:
        if field.name not in document:
            raise CallError(
                f"{spec.id}: the form has no field {field.name!r}; it is of another version of the "
                "tool: reload the page of the tool and fill it in again"
            )
        value = document[field.name]
        if field.kind == "vector":
            value = _vector(spec, field, value)
        elif field.kind == "choice":
            value = _choice(spec, field, value)
        elif field.numeric and str(value or "").strip().isdecimal():
            value = int(str(value))
        elif field.kind == "list":
            value = [part.strip() for part in str(value or "").split(",") if part.strip()]
        if value in (None, "", []) and (field.optional or field.default is not None):
            continue  # left empty: the tool's own default
        settings[field.name] = value
    return settings


def _vector(spec: ToolSpec, field: Field, value: object) -> list[Any] | None:
    parts = value if isinstance(value, Mapping) else {}
    given = [parts.get(part.name) for part in field.parts]
    if all(part in (None, "") for part in given):
        return None
    if field.optional and any(part in (None, "") for part in given):
        empty = [p.name for p, v in zip(field.parts, given, strict=True) if v in (None, "")]
        raise CallError(
            f"{spec.id}: {field.name!r} lacks {', '.join(empty)}; fill in all of "
            f"{', '.join(part.name for part in field.parts)}, or none"
        )
    return given


def _choice(spec: ToolSpec, field: Field, value: object) -> dict[str, Any]:
    chosen = value.get(field.switch) if isinstance(value, Mapping) else None
    for kind, _, fields in field.branches:
        if kind == chosen and isinstance(value, Mapping):
            return {field.switch: kind, **_settings(spec, fields, value)}
    kinds = ", ".join(kind for kind, _, _ in field.branches)
    raise CallError(f"{spec.id}: {field.name!r} is {chosen!r}; expected one of {kinds}")


def _can_make(spec: ToolSpec, output: str, inputs: Mapping[str, Path]) -> bool:
    """Tell whether the input that an output is made of was given, where the two share a name."""
    return output not in spec.inputs or output in inputs


def _files(spec: ToolSpec) -> list[str]:
    return [name for name, port in spec.outputs.items() if port.kind == "file"]


def _suffix(spec: ToolSpec, document: Mapping[str, Any], name: str) -> str:
    suffix = document.get(f"{name}_format")
    if suffix not in FILE_FORMATS:
        known = ", ".join(FILE_FORMATS)
        raise CallError(f"{spec.id}: the format of {name!r} is {suffix!r}; expected one of {known}")
    return str(suffix)


def _path(value: object) -> str:
    """Return the one path of a data input; Galaxy writes a list where several are allowed."""
    return str(value[0]) if isinstance(value, list) else str(value)


def _true(value: object) -> bool:
    return str(value).lower() == "true"
