"""What types a setting of a tool may have, and which of them a form can explain."""

import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from docstring_parser import parse
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

_BOUNDS = (
    annotated_types.Gt,
    annotated_types.Ge,
    annotated_types.Lt,
    annotated_types.Le,
    annotated_types.Interval,
)
_FREE = (bool, str, types.NoneType)


class Method(BaseModel):
    """One choice of a discriminated union; a choice of method derives from this.

    A line of text under a field is its help.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def split_hint(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the bare type and the metadata of an `Annotated` type, else the type alone."""
    if get_origin(hint) is Annotated:
        bare, *metadata = get_args(hint)
        return bare, tuple(metadata)
    return hint, ()


def split_optional(hint: Any) -> tuple[Any, bool]:
    """Return the type without `| None`, and whether there was one."""
    if not _is_union(hint):
        return hint, False
    rest = [part for part in get_args(hint) if part is not types.NoneType]
    return (rest[0] if len(rest) == 1 else hint), len(rest) < len(get_args(hint))


def models_of(hint: Any) -> dict[str, type[BaseModel]]:
    """Return the models a discriminated union may hold, by their kind; empty for other types."""
    bare, metadata = split_hint(hint)
    found: dict[str, type[BaseModel]] = {}
    if _is_union(bare):
        for part in get_args(bare):
            found |= models_of(Annotated[part, *metadata] if metadata else part)
    elif _is_model(bare):
        key = _discriminator(metadata)
        kind = bare.model_fields.get(key or "kind")
        names = get_args(kind.annotation) if kind is not None else ()
        found = {str(name): bare for name in names}
    return found


def faults(hint: Any, *, bounded: bool = False, choice: bool = False) -> Iterator[str]:
    """Say what a form could not explain about a type; nothing when all is well.

    Args:
        hint: The annotation of a setting.
        bounded: Whether an outer `Annotated` already gives bounds.
        choice: Whether an outer `Annotated` names the discriminator of a union.
    """
    bare, metadata = split_hint(hint)
    bounded = bounded or _has_bound(metadata)
    choice = choice or _discriminator(metadata) is not None
    origin, parts = get_origin(bare), get_args(bare)
    if bare in (int, float):
        if not bounded:
            yield f"{bare.__name__} has no bound: write Annotated[{bare.__name__}, Field(gt=0)]"
    elif _is_union(bare):
        yield from _union_faults(parts, bounded=bounded, choice=choice)
    elif origin is tuple:
        for part in parts:
            if part is not Ellipsis:
                yield from faults(part)
    elif _is_model(bare):
        yield from _model_faults(bare)
    elif not (bare in _FREE or origin is Literal or _is_enum(bare)):
        yield (
            f"type {bare!r} is not one a form can show: use bool, int, float, str, Literal, "
            "tuple, a pydantic model or a discriminated union of models"
        )


def field_help(model: type[BaseModel], name: str) -> str:
    """Return the help of one field of a settings model: its description or docstring line."""
    described = model.model_fields[name].description
    if described:
        return described
    doc = parse(model.__doc__ or "")
    lines = {p.arg_name: p.description or "" for p in doc.params}
    return lines.get(name, "")


def _union_faults(parts: tuple[Any, ...], *, bounded: bool, choice: bool) -> Iterator[str]:
    if not choice and sum(_is_model(split_hint(part)[0]) for part in parts) > 1:
        yield "a union of models needs Field(discriminator='kind')"
    for part in parts:
        yield from faults(part, bounded=bounded, choice=choice)


def _model_faults(model: type[BaseModel]) -> Iterator[str]:
    if not issubclass(model, Method):
        yield f"{model.__name__} must derive from gateway.toolkit.settings.Method"
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            continue
        where = f"{model.__name__}.{name}"
        if not field_help(model, name):
            yield f"{where} has no help: add Field(description=...)"
        choice = field.discriminator is not None
        bounded = _has_bound(tuple(field.metadata))
        for fault in faults(field.annotation, bounded=bounded, choice=choice):
            yield f"{where}: {fault}"


def _has_bound(metadata: tuple[Any, ...]) -> bool:
    inner = [m for item in metadata if isinstance(item, FieldInfo) for m in item.metadata]
    return any(isinstance(item, _BOUNDS) for item in (*metadata, *inner))


def _discriminator(metadata: tuple[Any, ...]) -> str | None:
    for item in metadata:
        if isinstance(item, FieldInfo) and item.discriminator is not None:
            return str(item.discriminator)
    return None


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Enum)
