"""What tools there are and what each takes, in words and as JSON: for help, forms and docs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gateway.toolkit.registry import find_tools, get_tool
from gateway.toolkit.schema import setting_words, tool_schema
from gateway.toolkit.settings import field_help, models_of
from gateway.toolkit.spec import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a tool, as people read it."""

    name: str
    """`diameter_um`, or `method.level` where it belongs to a choice."""
    takes: str
    """`a number > 0 and <= 500, default 8.0`."""
    help: str
    required: bool


def list_tools() -> list[ToolSpec]:
    """Return the tools a person may run, by id; those that are broken are in `broken_tools`."""
    return [spec for spec in find_tools().tools.values() if not spec.hidden]


def broken_tools() -> tuple[str, ...]:
    """Return why tools were left out, a sentence each, naming the package that brought them."""
    return find_tools().broken


def describe_tool(tool_id: str) -> dict[str, Any]:
    """Return everything about one tool as JSON: ports, and settings as JSON Schema.

    Raises:
        ToolNotFoundError: There is no such tool; names those there are.
    """
    return tool_schema(get_tool(tool_id))


def summarize_tool(spec: ToolSpec) -> dict[str, Any]:
    """Return one line of the list of tools as JSON."""
    return {
        "id": spec.id,
        "version": spec.version,
        "summary": spec.summary,
        "shape": spec.shape,
        "inputs": {name: port.kind for name, port in spec.inputs.items()},
        "outputs": {name: port.kind for name, port in spec.outputs.items()},
        "settings": {setting.name: setting.takes for setting in list_settings(spec)},
    }


def list_settings(spec: ToolSpec) -> list[Setting]:
    """Return the settings of a tool in the order of its signature, choices spelled out."""
    return list(_settings(spec.params, ""))


def tool_help(tool_id: str) -> list[str]:
    """Return what a person needs to run a tool, as lines.

    Raises:
        ToolNotFoundError: There is no such tool; names those there are.
    """
    spec = get_tool(tool_id)
    lines = [f"{spec.id} {spec.version}: {spec.summary}", "", *spec.help.strip().splitlines()]
    for title, flag, ports in (("Inputs", "--in", spec.inputs), ("Outputs", "--out", spec.outputs)):
        lines += ["", f"{title}:"]
        for name, port in ports.items():
            need = "optional" if port.optional else "needed"
            what = "PATH" if port.kind == "file" else "REF"
            lines += [f"  {flag} {name}={what}  {port.kind}, {need}", *_indent(port.help)]
    settings = list_settings(spec)
    if settings:
        lines += ["", "Settings:"]
    for setting in settings:
        lines += [f"  --set {setting.name}=VALUE  {setting.takes}", *_indent(setting.help)]
    if spec.doi:
        lines += ["", "Methods: " + ", ".join(f"doi:{doi}" for doi in spec.doi)]
    return lines


def _settings(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        # the discriminator of a choice is listed with the choice itself
        if prefix and name == "kind":
            continue
        yield Setting(
            name=prefix + name,
            takes=setting_words(model, name),
            help=field_help(model, name),
            required=field.is_required(),
        )
        for kind, choice in models_of(field.annotation).items():
            for setting in _settings(choice, f"{prefix}{name}."):
                yield Setting(
                    name=setting.name,
                    takes=f"{setting.takes} (for {prefix}{name}.kind={kind})",
                    help=setting.help,
                    required=False,
                )


def _indent(text: str) -> list[str]:
    return [f"      {line.strip()}" for line in text.splitlines() if line.strip()]
