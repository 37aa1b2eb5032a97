"""Writes the reference pages from the program itself: `make docs`. A test finds old ones."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gateway.cli.group import COMMANDS
from gateway.cli.main import main as cli
from gateway.service.hub_settings import HubSettings
from gateway.service.settings import Settings
from gateway.service.toolbox import list_settings, list_tools
from gateway.web.app import all_routes

REFERENCE = Path(__file__).parent / "reference"
_NOTE = "<!-- written by docs/generate.py; run `make docs` instead of editing -->\n"


def pages() -> dict[str, str]:
    """Return the name and the text of every reference page."""
    return {
        "api.md": _api(),
        "cli.md": _cli(),
        "settings.md": _settings(),
        "tools.md": _tools(),
    }


def _api() -> str:
    document = all_routes().openapi()
    parts = [_NOTE, "# HTTP API\n", document["info"]["description"]]
    parts.append("A running gateway describes itself at `/api/openapi.json`.\n")
    for tag in document["tags"]:
        rows = list(_operations(document, tag["name"]))
        if rows:
            parts += [f"## {tag['name'].capitalize()}\n", f"{tag['description']}\n"]
            parts += ["| call | takes | what it does |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _operations(document: dict[str, Any], tag: str) -> Iterator[str]:
    """Yield a row for every operation of a tag: its address, its values, its first sentence."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if tag not in operation["tags"]:
                continue
            queries = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
            takes = [f"`{name}`" for name in queries]
            takes += ["a body"] if "requestBody" in operation else []
            first = operation["description"].split("\n\n")[0]
            yield f"| `{method.upper()} {path}` | {', '.join(takes)} | {_cell(first)} |"


def _cli() -> str:
    parts = [
        _NOTE,
        "# Commands\n",
        (
            "Answers go to stdout, messages and progress to stderr. With `--json` a command "
            "answers with exactly one JSON object, errors too: "
            '`{"error": {"type": …, "message": …}}`.\n'
        ),
        (
            "| exit code | meaning |\n|---|---|\n| 0 | done |\n"
            "| 1 | failed: the message says why |\n"
            "| 2 | bad call: an unknown name, a value out of bounds, no home |\n"
            "| 130 | cancelled: the same command again continues |\n"
        ),
        _help(cli, "gateway"),
    ]
    context = click.Context(cli, info_name="gateway", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is None:
            raise LookupError(name)
        parts += [f"## gateway {name}\n", _help(command, f"gateway {name}")]
        if isinstance(command, click.Group):
            for sub, inner in command.commands.items():
                parts += [f"### gateway {name} {sub}\n", _help(inner, f"gateway {name} {sub}")]
    return "\n".join(parts)


def _help(command: click.Command, name: str) -> str:
    # click keeps the help option it makes first, so every context must ask for the same one
    context = click.Context(
        command,
        info_name=name,
        max_content_width=96,
        terminal_width=96,
        help_option_names=["-h", "--help"],
    )
    return f"```\n{command.get_help(context)}\n```\n"


def _settings() -> str:
    rows = [
        f"| `{name}` | `GATEWAY_{name.upper()}` | {_default(field)} | {text} |"
        for name, field, text in _described_settings()
    ]
    head = [
        _NOTE,
        "# Settings\n",
        (
            "Each is a line of `gateway.toml` in the home, or an environment variable, which wins. "
            "`GATEWAY_HOME` selects the home itself.\n"
        ),
        "| in gateway.toml | environment variable | default | what it is |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _described_settings() -> Iterator[tuple[str, Any, str]]:
    """Yield each setting with the docstring that follows it in the source."""
    texts = {**_texts(HubSettings), **_texts(Settings)}
    for name, field in Settings.model_fields.items():
        yield name, field, texts.get(name) or field.description or ""


def _texts(settings: type) -> dict[str, str]:
    body = ast.parse(inspect.getsource(settings)).body[0]
    if not isinstance(body, ast.ClassDef):
        raise TypeError("settings are a class")
    texts: dict[str, str] = {}
    for item, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(text, ast.Constant):
                texts[item.target.id] = " ".join(str(text.value).split())
    return texts


def _default(field: Any) -> str:
    value = field.default
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if value is None:
        return "unset"
    return f"`{value.human_readable(decimal=True) if hasattr(value, 'human_readable') else value}`"


def _tools() -> str:
    parts = [
        _NOTE,
        "# Tools\n",
        "`gateway run TOOL --help` prints the same on the command line.\n",
    ]
    for spec in list_tools():
        parts += [f"## {spec.id}\n", f"{spec.summary}\n", spec.help.strip() + "\n"]
        parts += [f"Version {spec.version}.\n"]
        for title, ports in (("input", spec.inputs), ("output", spec.outputs)):
            parts += [f"| {title} | kind | needed | what it is |", "|---|---|---|---|"]
            for name, port in ports.items():
                need = "optional" if port.optional else "yes"
                parts.append(f"| `{name}` | {port.kind} | {need} | {_cell(port.help)} |")
            parts.append("")
        settings = list_settings(spec)
        if settings:
            parts += ["| setting | takes | what it is |", "|---|---|---|"]
            for setting in settings:
                parts.append(
                    f"| `{setting.name}` | {_cell(setting.takes)} | {_cell(setting.help)} |"
                )
            parts.append("")
        if spec.doi:
            parts.append("Methods: " + ", ".join(f"doi:{doi}" for doi in spec.doi) + "\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def write_pages(folder: Path = REFERENCE) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(*map(Path, sys.argv[1:2]))
