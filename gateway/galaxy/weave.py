"""Turns calls that were made, in a notebook or anywhere, into a workflow of Galaxy; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.errors import CallError, NotFoundError
from gateway.galaxy.formats import FILE_FORMATS, datatype
from gateway.galaxy.render import output_name
from gateway.toolkit.call import Call
from gateway.toolkit.fields import Field, fields_of, label
from gateway.toolkit.spec import ToolSpec

_COLUMN, _ROW = 340, 240
_DATASET = "Dataset for results"


@dataclass(slots=True)
class _Weaving:
    """A workflow on its way."""

    specs: Mapping[str, ToolSpec]
    made_by: Mapping[str, Call]
    """Ref to the call that made it."""
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Label of an input to what is said of it."""
    sources: dict[str, str] = field(default_factory=dict)
    """Ref to where it comes from: the label of an input, or `STEP/OUTPUT`."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    """Ref to how many steps lie before it."""
    used: set[str] = field(default_factory=set)
    """Refs that a step takes."""


def weave(
    calls: Iterable[Call], targets: Sequence[str], specs: Mapping[str, ToolSpec], title: str
) -> str:
    """Return the `.gxwf.yml` of the calls that led to some things.

    What no call made, or an ingest did, becomes an input of the workflow.

    Args:
        calls: Calls that were made, the latest last; those that led to no target are left out.
        targets: Refs of what the workflow shall make.
        specs: The tools that Galaxy has, by id.
        title: What to call it.

    Raises:
        NotFoundError: No call made a target; names it.
        CallError: A call was of another version of its tool than is installed.
    """
    made_by = {ref: call for call in calls for ref in call.outputs.values() if call.tool in specs}
    weaving = _Weaving(specs=specs, made_by=made_by)
    for target in targets:
        if target not in made_by:
            raise NotFoundError(
                f"no call of a tool that Galaxy has made {target}; name results of tools, such as "
                f"{next(reversed(made_by), 'those a notebook shows')}"
            )
        _follow(weaving, target)
    _place_inputs(weaving)
    document = {
        "class": "GalaxyWorkflow",
        "label": title,
        "doc": f"Made of the calls that gave {', '.join(targets)}.",
        "license": "CC0-1.0",
        "creator": [{"class": "Organization", "name": "Made with Brain Gateway"}],
        "tags": ["brain imaging"],
        "inputs": weaving.inputs,
        "steps": weaving.steps,
        "outputs": _outputs(weaving, targets),
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return text


def _follow(weaving: _Weaving, ref: str) -> None:
    """Add what made a thing, after what made what that was made of."""
    if ref in weaving.sources:
        return
    call = weaving.made_by[ref]
    spec = weaving.specs[call.tool]
    if call.version != spec.version:
        raise CallError(
            f"{ref} was made by {spec.id} {call.version}, but {spec.version} is installed; run "
            "that call again, then make the workflow of the new result"
        )
    for port, given in call.inputs.items():
        if given in weaving.made_by:
            _follow(weaving, given)
        elif given not in weaving.sources:
            _add_input(weaving, spec, port, given)
        weaving.used.add(given)
    _add_step(weaving, spec, call)


def _add_input(weaving: _Weaving, spec: ToolSpec, port: str, ref: str) -> None:
    name = _free(label(port), weaving.inputs)
    kind = spec.inputs[port].kind
    weaving.inputs[name] = {"type": "data", "format": [datatype(kind)], "doc": f"Was {ref}."}
    weaving.sources[ref] = name
    weaving.columns[ref] = 0


def _add_step(weaving: _Weaving, spec: ToolSpec, call: Call) -> None:
    name = _free(spec.title, weaving.steps)
    column = 1 + max((weaving.columns[ref] for ref in call.inputs.values()), default=0)
    above = sum(step["position"]["left"] == column * _COLUMN for step in weaving.steps.values())
    connections = {port: weaving.sources[ref] for port, ref in call.inputs.items()}
    save: dict[str, Any] = {
        f"make_{port}": port in call.outputs for port, how in spec.outputs.items() if how.optional
    }
    weaving.steps[name] = {
        "tool_id": f"gateway_{spec.id}",
        "tool_version": spec.version,
        "doc": spec.summary,
        "position": {"left": column * _COLUMN, "top": above * _ROW},
        "in": connections | {"save|dataset": _DATASET},
        "tool_state": state_of(spec, call.params)
        | _formats(spec, call)
        | {"save": save | {"dataset": None}},
        "out": {output_name(spec, port): {} for port in call.outputs},
    }
    for port, ref in call.outputs.items():
        weaving.sources[ref] = f"{name}/{output_name(spec, port)}"
        weaving.columns[ref] = column


def _formats(spec: ToolSpec, call: Call) -> dict[str, str]:
    """Return the formats of the files that a call wrote, as the form of the tool has them."""
    found = {}
    for port, path in call.outputs.items():
        if spec.outputs[port].kind == "file":
            known = (suffix for suffix in FILE_FORMATS if path.lower().endswith(suffix))
            found[f"{port}_format"] = next(known, next(iter(FILE_FORMATS)))
    return found


def _place_inputs(weaving: _Weaving) -> None:
    weaving.inputs[_DATASET] = {
        "type": "text",
        "optional": True,
        "doc": "Dataset of the store that results go into; empty takes that of the first input.",
    }
    for number, given in enumerate(weaving.inputs.values()):
        given["position"] = {"left": 0, "top": number * _ROW}


def _outputs(weaving: _Weaving, targets: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what the workflow gives: what was asked for, and what no later step takes."""
    made = [ref for ref, source in weaving.sources.items() if source not in weaving.inputs]
    wanted = [ref for ref in made if ref in targets or ref not in weaving.used]
    found: dict[str, dict[str, str]] = {}
    for ref in wanted:
        source = weaving.sources[ref]
        found[_free(source.rpartition("/")[2], found)] = {"outputSource": source}
    return found


def state_of(spec: ToolSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a call as the form of Galaxy holds them; `read_form` reads them back.

    Args:
        spec: The tool.
        params: Its settings; one that is not there has its default.
    """
    return {one.name: _state(one, params.get(one.name, one.default)) for one in fields_of(spec)}


def _state(one: Field, value: Any) -> Any:
    if one.kind == "vector":
        parts = value if isinstance(value, list | tuple) else [None] * len(one.parts)
        return {part.name: given for part, given in zip(one.parts, parts, strict=True)}
    if one.kind == "choice":
        chosen = value or {}
        kind = chosen.get(one.switch)
        inner = next((fields for name, _, fields in one.branches if name == kind), ())
        state = {part.name: _state(part, chosen.get(part.name, part.default)) for part in inner}
        return {one.switch: kind} | state
    if one.kind == "list":
        return ",".join(map(str, value)) if value else None
    if one.kind == "text" and value is not None:
        return str(value)
    return value


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name, numbered where it is taken."""
    number, tried = 1, name
    while tried in taken:
        number += 1
        tried = f"{name} {number}"
    return tried
