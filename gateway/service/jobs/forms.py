"""A tool's form: what it shows, what is read from it, and what is wrong, beside the field."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select

from gateway.errors import ForbiddenError, GatewayError
from gateway.records.database import reading
from gateway.records.tables import EntryRow
from gateway.service.access.actor import Actor, Role
from gateway.service.access.rights import require, visible_datasets
from gateway.service.gateway import Gateway
from gateway.service.jobs.fields import FormField, setting_fields, walk_fields
from gateway.service.jobs.rights import is_new
from gateway.toolkit.call import Call, find_faults, make_call
from gateway.toolkit.spec import Port, ToolSpec
from gateway.volumes.dataset import find_entry
from gateway.volumes.ref import parse_ref

_PORT = re.compile(r"\b(input|output) '(\w+)'")
_LISTED = 300


@dataclass(slots=True, kw_only=True)
class Form:
    """A tool's form, filled in as far as it is."""

    spec: ToolSpec
    fields: tuple[FormField, ...]
    values: dict[str, str] = field(default_factory=dict)
    """Name of a field to what stands in it."""
    errors: dict[str, str] = field(default_factory=dict)
    """Name of a field to what is wrong with it; '' for what belongs to none."""
    call: Call | None = None
    """The call, where nothing is wrong."""

    @property
    def options(self) -> dict[str, Any]:
        """How the run uses the machine, where the person says so."""
        workers = self.values.get("how.workers", "").strip()
        return {"workers": int(workers)} if workers else {}


def blank_form(spec: ToolSpec, given: Mapping[str, str] | None = None) -> Form:
    """Return a form with its defaults, and with what is given instead of them."""
    fields = setting_fields(spec)
    form = Form(spec=spec, fields=fields)
    form.values = {item.name: item.default for item in walk_fields(fields)}
    form.values |= dict(given or {})
    first = next((form.values.get(f"in.{port}", "") for port in spec.inputs), "")
    with suppress(GatewayError):
        dataset = parse_ref(first).dataset
        for port, what in spec.outputs.items():
            name = f"{spec.id}-{port}" if port in ("image", "labels") else port
            if not what.optional:
                form.values.setdefault(f"out.{port}", f"{dataset}/{name}")
    return form


def form_of_call(spec: ToolSpec, call: Call, options: Mapping[str, Any]) -> Form:
    """Return the form filled in with an earlier call, to run it again with changes."""
    values: dict[str, str] = {}
    for port, ref in call.inputs.items():
        values[f"in.{port}"] = ref
    for port, ref in call.outputs.items():
        values[f"out.{port}"] = ref
    for name, value in call.params.items():
        _spread(values, f"set.{name}", value)
    values["how.workers"] = str(options.get("workers") or "")
    return blank_form(spec, values)


def read_form(gateway: Gateway, actor: Actor, spec: ToolSpec, sent: Mapping[str, str]) -> Form:
    """Read what a person sent; what is wrong stands beside its field.

    Args:
        gateway: The gateway.
        actor: Who sent it.
        spec: The tool.
        sent: Name of a field to its text.
    """
    fields = setting_fields(spec)
    form = Form(spec=spec, fields=fields, values={key: text.strip() for key, text in sent.items()})
    settings = _settings(fields, form.values)
    inputs = _ports(form, "in", spec.inputs)
    outputs = _ports(form, "out", spec.outputs)
    for port, ref in inputs.items():
        _note(form, f"in.{port}", _input_fault(gateway, actor, spec.inputs[port], ref))
    for port, ref in outputs.items():
        _note(form, f"out.{port}", _output_fault(gateway, actor, ref))
    _check_workers(form)
    names = {item.name for item in walk_fields(fields)}
    for place, message in find_faults(spec, settings).items():
        missing = message.startswith(f"parameter {place!r} is missing")
        form.errors[_nearest(f"set.{place}", names)] = "is needed" if missing else message
    if not form.errors:
        try:
            form.call = make_call(spec, inputs, outputs, settings)
        except GatewayError as error:
            place_error(form, error)
    return form


def place_error(form: Form, error: GatewayError) -> None:
    """Put the message of an error beside the port it speaks of."""
    found = _PORT.search(str(error))
    name = f"{'in' if found.group(1) == 'input' else 'out'}.{found.group(2)}" if found else ""
    form.errors[name] = str(error).removeprefix(f"{form.spec.id}: ")


def find_choices(
    gateway: Gateway, actor: Actor, kind: str, words: str = "", limit: int = _LISTED
) -> list[str]:
    """Return the refs of a kind that an actor may see, in which every word occurs."""
    statement = select(EntryRow.dataset, EntryRow.name).where(EntryRow.kind == kind)
    for word in words.replace("/", " ").split():
        hit = (
            column.contains(word, autoescape=True) for column in (EntryRow.dataset, EntryRow.name)
        )
        statement = statement.where(or_(*hit))
    seen = visible_datasets(gateway, actor)
    found: list[str] = []
    with reading(gateway.database) as connection:
        for row in connection.execute(statement.order_by(EntryRow.dataset, EntryRow.name)):
            if seen is None or row.dataset in seen:
                found.append(f"{row.dataset}/{row.name}")
            if len(found) == limit:
                break
    return found


def _settings(fields: tuple[FormField, ...], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the form as a call takes them; an empty field is the default."""
    settings: dict[str, Any] = {}
    for item in fields:
        name, text = item.name.removeprefix("set."), values.get(item.name, "")
        if item.kind == "method":
            chosen = text or item.default
            if not chosen:
                continue
            settings[f"{name}.kind"] = chosen
            inner = next((m.fields for m in item.methods if m.kind == chosen), ())
            for key, value in _settings(inner, values).items():
                settings[f"{name}.{key.removeprefix(f'{name}.{chosen}.')}"] = value
        elif item.kind == "switch":
            settings[name] = text in ("on", "true")
        elif text and text != item.default:  # a default is a number where the text would not be
            settings[name] = text
    return settings


def _ports(form: Form, side: str, ports: Mapping[str, Port]) -> dict[str, str]:
    found = {}
    for name, port in ports.items():
        text = form.values.get(f"{side}.{name}", "")
        if text:
            found[name] = text
        elif not port.optional:
            verb = "choose" if side == "in" else "name"
            article = "an" if port.kind[0] in "aeiou" else "a"
            what = (
                port.kind
                if side == "out" or port.kind in ("points", "labels", "tiles")
                else (f"{article} {port.kind}")
            )
            form.errors[f"{side}.{name}"] = f"{verb} {what}, as DATASET/NAME"
    return found


def _input_fault(gateway: Gateway, actor: Actor, port: Port, text: str) -> str | None:
    try:
        ref = parse_ref(text)
        require(gateway, actor, ref.dataset, Role.VIEWER, ref.name)
        entry = find_entry(gateway.store, ref)
    except GatewayError as error:
        return str(error)
    if entry is None:
        return f"there is no {text} in the store; choose one from the list"
    if entry.kind != port.kind:
        return f"{text} is of kind {entry.kind}, expected {port.kind}"
    return None


def _output_fault(gateway: Gateway, actor: Actor, text: str) -> str | None:
    try:
        ref = parse_ref(text)
        if not is_new(gateway, ref.dataset):
            require(gateway, actor, ref.dataset, Role.EDITOR)
    except ForbiddenError as error:
        return f"{error}; or make a dataset of your own by a new name"
    except GatewayError as error:
        return str(error)
    return None


def _check_workers(form: Form) -> None:
    text = form.values.get("how.workers", "")
    if text and not (text.isdecimal() and 1 <= int(text) <= 4096):  # noqa: PLR2004
        form.errors["how.workers"] = f"workers is {text!r}; expected a whole number from 1 to 4096"


def _note(form: Form, name: str, message: str | None) -> None:
    if message is not None:
        form.errors[name] = message


def _nearest(name: str, names: set[str]) -> str:
    """Return the field that a place in the settings belongs to."""
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name


def _spread(values: dict[str, str], name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        kind = str(value.get("kind", ""))
        values[name] = kind
        for key, inner in value.items():
            if key != "kind":
                _spread(values, f"{name}.{kind}.{key}", inner)
    elif isinstance(value, bool):
        values[name] = str(value).lower()
    elif isinstance(value, list | tuple):
        values[name] = ",".join(map(str, value))
    else:
        values[name] = "" if value is None else str(value)
