"""The JSON schema of a tool, and its bounds in words: what forms, help and errors show."""

from typing import Any

from pydantic import BaseModel

from gateway.toolkit.spec import Port, ToolSpec

_WORDS = {
    "exclusiveMinimum": ">",
    "minimum": ">=",
    "exclusiveMaximum": "<",
    "maximum": "<=",
}
_TYPES = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "text",
    "null": "none",
}


def tool_schema(spec: ToolSpec) -> dict[str, Any]:
    """Return everything a face shows of a tool, as JSON: ports, and settings as JSON Schema."""
    return {
        "id": spec.id,
        "version": spec.version,
        "title": spec.title,
        "summary": spec.summary,
        "help": spec.help,
        "shape": spec.shape,
        "inputs": {name: _port(port) for name, port in spec.inputs.items()},
        "outputs": {name: _port(port) for name, port in spec.outputs.items()},
        "params": spec.params.model_json_schema(),
        "image": spec.image,
        "resources": {"cores": spec.resources.cores, "gpu": spec.resources.gpu},
        "edam": list(spec.edam),
        "doi": list(spec.doi),
    }


def setting_words(model: type[BaseModel], name: str) -> str:
    """Say in words what a setting takes: `a number > 0 and <= 500, default 8.0`."""
    schema = model.model_json_schema()
    field = schema["properties"][name]
    words = _words(field, schema.get("$defs", {}))
    if "default" in field:
        words += f", default {_plain(field['default'])}"
    return words


def _port(port: Port) -> dict[str, Any]:
    return {"kind": port.kind, "optional": port.optional, "help": port.help}


def _words(schema: dict[str, Any], defs: dict[str, Any]) -> str:  # noqa: PLR0911 (one per JSON type)
    if "$ref" in schema:
        return _words(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "discriminator" in schema:
        return "one of the kinds " + ", ".join(sorted(schema["discriminator"]["mapping"]))
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        return " or ".join(_words(part, defs) for part in parts)
    if "prefixItems" in schema:
        items = [_words(item, defs) for item in schema["prefixItems"]]
        same = len(set(items)) == 1
        return f"{len(items)} values: " + (f"each {items[0]}" if same else ", ".join(items))
    if schema.get("type") == "array":
        return f"values: each {_words(schema.get('items', {}), defs)}"
    if schema.get("type") == "object":
        return "settings " + ", ".join(schema.get("properties", {}))
    bounds = [f"{word} {schema[key]:g}" for key, word in _WORDS.items() if key in schema]
    return f"{_TYPES.get(schema.get('type', ''), 'a value')} {' and '.join(bounds)}".strip()


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    return "none" if value is None else str(value)
