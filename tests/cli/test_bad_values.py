"""A bad value for each parameter of each tool: the command line names it, the value, the bound."""

import re

import pytest

from gateway.toolkit.registry import load_tools

TOOLS = load_tools()


BOUNDS = (("exclusiveMinimum", 0, ">"), ("minimum", -1, ">="), ("maximum", 1, "<="))


def worst(schema, defs):
    """Return a text that the schema refuses and what the message says of the bound, or None."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    parts = schema.get("anyOf", schema.get("oneOf", ()))
    if {"type": "string"} in parts:
        return None
    nonsense = {
        "enum": lambda enum: str(enum[0]),
        "discriminator": lambda choice: next(iter(choice["mapping"])),
        "prefixItems": lambda items: f"{len(items)} values",
    }
    for key, bound in nonsense.items():
        if key in schema:
            return "nonsense", bound(schema[key])
    for key, step, word in BOUNDS:
        if key in schema:
            return f"{schema[key] + step:g}", f"{word} {schema[key]:g}"
    if schema.get("type") == "boolean":
        return "perhaps", "true or false"
    return next((found for part in parts if (found := worst(part, defs))), None)


def cases():
    for tool_id, spec in TOOLS.items():
        schema = spec.params.model_json_schema()
        for name, field in schema.get("properties", {}).items():
            found = worst(field, schema.get("$defs", {}))
            if found is not None:
                yield pytest.param(tool_id, name, *found, id=f"{tool_id}-{name}")


def words(tool_id, without=""):
    """Yield a good command line, `without` one setting."""
    spec = TOOLS[tool_id]
    schema = spec.params.model_json_schema()
    for name in schema.get("required", ()):
        if name != without:
            field = schema["properties"][name]
            low = field.get("exclusiveMinimum", field.get("minimum", 0))
            yield from ("--set", f"{name}={min(low + 1, field.get('maximum', low + 1)):g}")
    for flag, ports in (("--in", spec.inputs), ("--out", spec.outputs)):
        for name, port in ports.items():
            yield from (flag, f"{name}={'x.tif' if port.kind == 'file' else f'm/{flag[2:]}{name}'}")


@pytest.mark.parametrize(("tool_id", "name", "value", "bound"), list(cases()))
def test_the_parameter_the_value_and_the_bound_are_named(shell, tool_id, name, value, bound):
    said = shell("run", tool_id, *words(tool_id, without=name), "--set", f"{name}={value}")
    assert said.code == 2, said.err
    assert said.out == ""
    assert re.search(rf"parameter '{name}[^']*'", said.err), said.err
    assert value in said.err
    assert bound in said.err


@pytest.mark.parametrize("tool_id", TOOLS)
def test_an_unknown_parameter_is_named_with_those_there_are(shell, tool_id):
    said = shell("run", tool_id, *words(tool_id), "--set", "nonsense=1", "--json")
    assert said.code == 2
    message = said.json["error"]["message"]
    assert "no parameter 'nonsense'" in message
    for name in TOOLS[tool_id].params.model_fields:
        assert name in message


@pytest.mark.parametrize("tool_id", TOOLS)
def test_an_unknown_port_is_named_with_those_there_are(shell, tool_id):
    said = shell("run", tool_id, *words(tool_id), "--in", "nonsense=m/a")
    assert said.code == 2
    assert "'nonsense'" in said.err
    for name in TOOLS[tool_id].inputs:
        assert name in said.err


@pytest.mark.parametrize("tool_id", TOOLS)
def test_help_of_a_tool_says_every_port_and_setting(shell, tool_id):
    said = shell("run", tool_id, "--help")
    spec = TOOLS[tool_id]
    assert said.code == 0
    for name in (*spec.inputs, *spec.outputs, *spec.params.model_fields):
        assert name in said.out
    assert shell("run", tool_id, "--help", "--json").json["id"] == tool_id
