"""A call: a tool, its version, its inputs, outputs and settings, as canonical JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Self

from blake3 import blake3
from pydantic import BaseModel, ValidationError

from gateway.errors import CallError, RefError
from gateway.toolkit.schema import setting_words
from gateway.toolkit.settings import field_help
from gateway.toolkit.spec import Port, ToolSpec
from gateway.toolkit.text import nest_settings
from gateway.volumes.ref import parse_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to be done, in full: the same call gives the same digests."""

    tool: str
    version: str
    inputs: Mapping[str, str]
    """Port to ref."""
    outputs: Mapping[str, str]
    """Port to ref; to a path for a port of kind file."""
    params: Mapping[str, Any]
    """Every setting, defaults included, as JSON values."""

    def to_json(self) -> dict[str, Any]:
        """Return the call as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave.

        Raises:
            CallError: A field is missing or unknown.
        """
        try:
            return cls(**document)
        except TypeError as error:
            raise CallError(
                f"a call has tool, version, inputs, outputs and params; got {sorted(document)}"
            ) from error

    def canonical(self) -> str:
        """Return the one text that equal calls share: JSON with sorted keys and no spaces."""
        return json.dumps(
            self.to_json(),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )

    @property
    def digest(self) -> str:
        """`blake3:…` of the canonical text."""
        return "blake3:" + blake3(self.canonical().encode()).hexdigest()


def make_call(
    spec: ToolSpec,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Call:
    """Check everything that can be checked without reading data, and return the call.

    Args:
        spec: The tool.
        inputs: Port to ref.
        outputs: Port to ref; optional outputs that are not named are not made.
        settings: Name to value or to text, see `nest_settings`.

    Raises:
        CallError: An unknown or missing port or parameter, or a value out of bounds.
        RefError: A ref is malformed.
    """
    _check_ports(spec, "input", spec.inputs, inputs)
    _check_ports(spec, "output", spec.outputs, outputs)
    taken: dict[str, str] = {ref: name for name, ref in inputs.items()}
    for name, ref in outputs.items():
        if ref in taken:
            raise CallError(
                f"{spec.id}: output {name!r} and {taken[ref]!r} are both {ref!r}; what exists is "
                "never overwritten, choose another name"
            )
        taken[ref] = name
    params = check_settings(spec, settings)
    return Call(
        tool=spec.id,
        version=spec.version,
        inputs=dict(inputs),
        outputs=dict(outputs),
        params=params.model_dump(mode="json"),
    )


def check_settings(spec: ToolSpec, settings: Mapping[str, Any]) -> BaseModel:
    """Validate settings and return them as the tool's model.

    Raises:
        CallError: Names each parameter that is wrong, its value and what it takes.
    """
    faults = find_faults(spec, settings)
    if faults:
        raise CallError(f"{spec.id}: " + "; ".join(dict.fromkeys(faults.values())))
    return spec.params.model_validate(nest_settings(spec.params, settings))


def find_faults(spec: ToolSpec, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with each setting, by its name; empty when all is well.

    A setting inside a choice of method is named with the choice: `method.manual.level`.
    """
    known = list(spec.params.model_fields)
    unknown = [name for name in settings if name.partition(".")[0] not in known]
    if unknown:
        takes = f"it takes {', '.join(known) or 'none'}"
        return {name: f"no parameter {name!r}; {_near(name, known)}{takes}" for name in unknown}
    try:
        values = nest_settings(spec.params, settings)
    except CallError as error:
        name = str(error).partition("'")[2].partition("'")[0]
        return {name: str(error)}
    try:
        spec.params.model_validate(values)
    except ValidationError as error:
        return {
            ".".join(map(str, item["loc"])): _explain(spec, values, item)
            for item in reversed(error.errors())
        }
    return {}


def _explain(spec: ToolSpec, values: Mapping[str, Any], fault: Mapping[str, Any]) -> str:
    """Put one pydantic error into words that name parameter, value and bound."""
    place = [str(part) for part in fault["loc"]]
    top = place[0]
    words = setting_words(spec.params, top)
    if fault["type"] == "missing" and len(place) == 1:
        return f"parameter {top!r} is missing: {field_help(spec.params, top)} Takes {words}"
    inside = ".".join(part for part in place[1:] if not part.startswith("function-"))
    where = f"{top}.{inside}" if inside else top
    if fault["type"] == "missing":
        return f"parameter {where!r} is missing"
    if fault["type"] == "extra_forbidden":
        return f"no parameter {where!r}; {top!r} takes {words}"
    value = values.get(top) if len(place) == 1 else fault["input"]
    reason = str(fault["msg"]).removeprefix("Value error, ")
    return f"parameter {where!r} is {value!r}: {reason} (takes {words})"


def _check_ports(
    spec: ToolSpec, what: str, ports: Mapping[str, Port], given: Mapping[str, str]
) -> None:
    for name, ref in given.items():
        if name not in ports:
            raise CallError(
                f"{spec.id}: no {what} {name!r}; {_near(name, ports)}it has {', '.join(ports)}"
            )
        if ports[name].kind == "file":
            continue
        try:
            parse_ref(ref)
        except RefError as error:
            raise RefError(f"{spec.id}: {what} {name!r}: {error}") from error
    for name, port in ports.items():
        if name not in given and not port.optional:
            flag = "--in" if what == "input" else "--out"
            place = "PATH" if port.kind == "file" else "DATASET/NAME"
            raise CallError(
                f"{spec.id}: {what} {name!r} ({port.kind}) is missing: add {flag} {name}={place}"
            )


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
