"""Turns settings given as text into the nested values that a settings model validates."""

import json
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.errors import CallError
from gateway.toolkit.settings import models_of, split_hint


def nest_settings(model: type[BaseModel], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as nested values.

    Args:
        model: The settings of a tool.
        settings: Name to value. A text value is read by the type it is for: numbers, `true`,
            `a,b,c` for tuples, JSON in braces or brackets, `none`, the kind alone for a choice
            of method. A dotted name reaches into a method: `method.kind`.

    Raises:
        CallError: A dotted name reaches into a setting without parts, or JSON is broken.
    """
    hints = {name: field.rebuild_annotation() for name, field in model.model_fields.items()}
    values: dict[str, Any] = {}
    for name in sorted(settings, key=lambda key: key.count(".")):
        head, *rest = name.split(".")
        value = settings[name]
        if not rest:
            values[head] = _read(head, hints.get(head), value)
            continue
        models = models_of(hints.get(head)) if head in hints else {}
        if head in hints and not models and not _is_model(hints[head]):
            raise CallError(f"parameter {head!r} has no parts; set {head}=VALUE, not {name}=VALUE")
        inside = values.setdefault(head, {})
        if not isinstance(inside, dict):
            raise CallError(f"parameter {name!r} cannot be set inside {head}={inside!r}")
        for part in rest[:-1]:
            inside = inside.setdefault(part, {})
        inside[rest[-1]] = _read_inner(models, rest[-1], value)
    for name, value in values.items():
        if isinstance(value, dict) and name in model.model_fields:
            values[name] = _complete(model.model_fields[name].default, value)
    return values


def _complete(default: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Add the kind, and the values of that kind, that a default method gives."""
    if not isinstance(default, BaseModel):
        return value
    base = default.model_dump()
    kind = base.get("kind")
    return base | value if value.get("kind", kind) == kind else value


def _read(name: str, hint: Any, value: Any) -> Any:
    if not isinstance(value, str) or hint is None:
        return value
    text = value.strip()
    bare = split_hint(hint)[0]
    options = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)
    options = tuple(split_hint(option)[0] for option in options)
    if types.NoneType in options and text.lower() in ("none", "null", ""):
        return None
    if text[:1] in ("{", "["):
        return _json(name, text)
    if any(get_origin(option) is tuple for option in options):
        return [part.strip() for part in text.split(",")]
    models = models_of(hint)
    if models:
        return {"kind": text}
    return value if str in options else text


def _read_inner(models: Mapping[str, type[BaseModel]], name: str, value: Any) -> Any:
    for model in models.values():
        if name in model.model_fields:
            return _read(name, model.model_fields[name].rebuild_annotation(), value)
    return value


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CallError(
            f"parameter {name!r}: {text!r} is not JSON: {error.msg} at character {error.pos}"
        ) from error


def _is_model(hint: Any) -> bool:
    bare = split_hint(hint)[0]
    return isinstance(bare, type) and issubclass(bare, BaseModel)
