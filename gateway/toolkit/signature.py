"""Reads a tool function: its ports, its settings, its outputs, and what it fails to explain."""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from textwrap import dedent
from typing import Any, get_args, get_origin, get_type_hints

from docstring_parser import Docstring, DocstringParam
from docstring_parser.google import parse
from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from gateway.errors import ToolDefinitionError
from gateway.toolkit.outputs import Outputs
from gateway.toolkit.passes import Passes
from gateway.toolkit.ports import Block
from gateway.toolkit.settings import faults, split_hint, split_optional
from gateway.toolkit.spec import Port, ToolShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What the signature and docstring of a tool function say."""

    shape: ToolShape
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    params: type[BaseModel]
    summary: str
    help: str


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read a tool function.

    Raises:
        ToolDefinitionError: Something in it cannot be explained to a user; says what and how
            to mend it.
    """
    name = function.__name__
    doc = parse(inspect.getdoc(function) or "")
    if not doc.short_description:
        raise ToolDefinitionError(
            f"{name}: the docstring needs a first line that says what it does"
        )
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"{name}: an annotation names {error.name!r}, which its module does not import at run "
            "time; import it outside `if TYPE_CHECKING:`"
        ) from error
    described = {
        item.arg_name: " ".join((item.description or "").split())
        for item in doc.meta
        if isinstance(item, DocstringParam)
    }
    inputs, fields, outputs_hint, block = _parameters(function, hints, described)
    shape, outputs = _outputs(name, hints, outputs_hint, doc)
    if block and not any(kind for kind in block.values()) and shape == "block":
        raise ToolDefinitionError(
            f"{name}: takes handles but returns {hints.get('return')!r}; a tool that reads its own "
            "input returns Passes[...] or takes an Outputs[...] parameter"
        )
    wrong = [key for key, is_block in block.items() if is_block != (shape == "block")]
    if wrong:
        want = "blocks (ImageBlock, LabelsBlock)" if shape == "block" else "handles (Image, Labels)"
        raise ToolDefinitionError(f"{name}: a {shape} tool takes {want}; {wrong[0]!r} is not one")
    if not inputs:
        raise ToolDefinitionError(
            f"{name}: no parameter is a data port such as Image or ImageBlock"
        )
    return Signature(
        shape=shape,
        inputs=inputs,
        outputs=outputs,
        params=_model(name, fields),
        summary=doc.short_description,
        help=doc.long_description or "",
    )


def port_of(hint: Any) -> Port | None:
    """Return the port of an annotation, optional where it allows None; None for a setting."""
    inner, optional = split_optional(hint)
    port = next((item for item in split_hint(inner)[1] if isinstance(item, Port)), None)
    return replace(port, optional=True) if port is not None and optional else port


def _parameters(
    function: Callable[..., Any], hints: dict[str, Any], described: Mapping[str, str]
) -> tuple[dict[str, Port], dict[str, Any], Any, dict[str, bool]]:
    """Sort parameters into ports, settings, and the `Outputs` of a volume tool."""
    name = function.__name__
    inputs: dict[str, Port] = {}
    fields: dict[str, Any] = {}
    outputs: Any = None
    block: dict[str, bool] = {}
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ToolDefinitionError(f"{name}: {parameter} hides parameters; name each one")
        if key not in hints:
            raise ToolDefinitionError(f"{name}: parameter {key!r} has no type")
        hint = hints[key]
        if get_origin(hint) is Outputs:
            outputs = get_args(hint)[0]
            continue
        if not described.get(key):
            raise ToolDefinitionError(f"{name}: parameter {key!r} has no line under 'Args:'")
        port = port_of(hint)
        if port is not None:
            _check_port_default(name, key, port, parameter)
            inputs[key] = replace(port, help=described[key])
            block[key] = split_hint(split_optional(hint)[0])[0] is Block
        else:
            fields[key] = (hint, _field(name, key, hint, parameter, described[key]))
    return inputs, fields, outputs, block


def _check_port_default(name: str, key: str, port: Port, parameter: inspect.Parameter) -> None:
    if port.optional != (parameter.default is None):
        raise ToolDefinitionError(
            f"{name}: optional data is written '{key}: {port.kind.capitalize()} | None = None'"
        )


def _field(name: str, key: str, hint: Any, parameter: inspect.Parameter, help_text: str) -> Any:
    if hasattr(BaseModel, key):
        raise ToolDefinitionError(f"{name}: {key!r} is a reserved word; rename the parameter")
    for fault in faults(hint):
        raise ToolDefinitionError(f"{name}: parameter {key!r}: {fault}")
    if parameter.default is parameter.empty:
        return Field(description=help_text)
    try:
        hash(parameter.default)
    except TypeError as error:
        raise ToolDefinitionError(
            f"{name}: the default of {key!r} is a mutable {type(parameter.default).__name__}; use "
            "what cannot change, such as a tuple"
        ) from error
    return Field(parameter.default, description=help_text)


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    title = "".join(word.capitalize() for word in name.split("_"))
    try:
        model: type[BaseModel] = create_model(title, __config__=config, **fields)
    except (PydanticUserError, TypeError) as error:
        raise ToolDefinitionError(f"{name}: a type of its settings is wrong: {error}") from error
    for key, field in model.model_fields.items():
        if field.is_required():
            continue
        try:
            create_model(title, __config__=config, **{key: fields[key]}).model_validate(
                {key: field.default}
            )
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ToolDefinitionError(
                f"{name}: the default {field.default!r} of {key!r} breaks its own bounds: {reason}"
            ) from error
    return model


def _outputs(
    name: str, hints: dict[str, Any], outputs_hint: Any, doc: Docstring
) -> tuple[ToolShape, dict[str, Port]]:
    returned = hints.get("return")
    shape: ToolShape = "block"
    if outputs_hint is not None:
        shape, returned = "volume", outputs_hint
    elif returned is Passes or get_origin(returned) is Passes:
        shape = "passes"
        returned = next(iter(get_args(returned)), None)
    if returned is None or returned is type(None):
        raise ToolDefinitionError(
            f"{name}: the return annotation must name the outputs: a port such as Image, "
            "a NamedTuple of ports, or Passes[...] of these"
        )
    text = " ".join((doc.returns.description or "").split()) if doc.returns else ""
    outputs: dict[str, Port] = {}
    for key, hint, help_text in _named_outputs(returned, text):
        port = port_of(hint)
        if port is None:
            raise ToolDefinitionError(
                f"{name}: output {key!r} is {hint!r}, not a port such as Image, Labels or Points"
            )
        if key in outputs:
            raise ToolDefinitionError(
                f"{name}: two outputs are called {key!r}; name them by a NamedTuple"
            )
        outputs[key] = replace(port, help=help_text)
    if shape == "block" and sum(port.kind != "points" for port in outputs.values()) > 1:
        raise ToolDefinitionError(
            f"{name}: a block tool writes at most one volume, got {', '.join(outputs)}; "
            "return Passes[...] to write more"
        )
    return shape, outputs


def _named_outputs(returned: Any, text: str) -> Iterator[tuple[str, Any, str]]:
    """Yield name, annotation and help of each output."""
    if get_origin(returned) is tuple:
        for hint in get_args(returned):
            port = port_of(hint)
            yield (port.kind if port is not None else "output", hint, text)
    elif isinstance(returned, type) and issubclass(returned, tuple):
        lines = _field_lines(returned)
        for key, hint in get_type_hints(returned, include_extras=True).items():
            yield key, hint, " ".join(lines.get(key, "").split())
    else:
        port = port_of(returned)
        yield (port.kind if port is not None else "output", returned, text)


def _field_lines(returned: type) -> dict[str, str]:
    """Return the help of each field: a line under 'Attributes:', or the text under the field."""
    lines: dict[str, str] = {}
    try:
        tree = ast.parse(dedent(inspect.getsource(returned)))
    except (OSError, TypeError, SyntaxError):
        tree = ast.Module(body=[], type_ignores=[])  # made without a file: no text under fields
    body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            value = text.value if isinstance(text, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                lines[field.target.id] = value.value
    doc = parse(returned.__doc__ or "")
    return lines | {item.arg_name: item.description or "" for item in doc.params}
