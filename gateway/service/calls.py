"""Makes calls: from the words of a command line, or from a file that another program wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.errors import CallError
from gateway.toolkit.call import Call, make_call
from gateway.toolkit.registry import get_tool

_FIELDS = frozenset({"tool", "version", "inputs", "outputs", "params"})


def call_from_words(
    tool_id: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Call:
    """Return the checked call of a tool.

    Args:
        tool_id: Id of the tool.
        inputs: Port to ref.
        outputs: Port to ref.
        settings: Setting to value, or to text as a person types it.

    Raises:
        ToolNotFoundError: There is no such tool.
        CallError: Names the port or setting that is wrong, its value and its bound.
        RefError: A ref is malformed.
    """
    return make_call(get_tool(tool_id), inputs, outputs, settings)


def call_from_file(path: Path) -> Call:
    """Read a call: JSON with `tool`, `inputs`, `outputs`, and optionally `params`, `version`.

    Raises:
        CallError: The file is missing or no such JSON, or it wants another version of the tool.
        ToolNotFoundError: There is no such tool.
        RefError: A ref is malformed.
    """
    document = _read(path)
    unknown = sorted(set(document) - _FIELDS)
    if unknown or not isinstance(document.get("tool"), str):
        what = f"an unknown field {unknown[0]!r}" if unknown else "no tool"
        raise CallError(
            f"the call in {path} has {what}; it takes tool, inputs, outputs, params and version"
        )
    for name in ("inputs", "outputs", "params"):
        if not isinstance(document.setdefault(name, {}), dict):
            raise CallError(
                f"{name} of the call in {path} is {document[name]!r}; expected an object"
            )
    for name in ("inputs", "outputs"):
        for port, ref in document[name].items():
            if not isinstance(ref, str):
                raise CallError(
                    f"{name} {port!r} of the call in {path} is {ref!r}; expected a ref as text"
                )
    spec = get_tool(document["tool"])
    wanted = document.get("version", spec.version)
    if wanted != spec.version:
        raise CallError(
            f"the call in {path} wants {spec.id} {wanted}, but {spec.version} is installed; "
            f"install that version, or leave `version` out to take {spec.version}"
        )
    return make_call(spec, document["inputs"], document["outputs"], document["params"])


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CallError(f"the call {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CallError(f"the call {path} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise CallError(
            f"the call {path} is no JSON object; expected tool, inputs, outputs, params"
        )
    return document
