"""Every command line in the docs is one that the program takes."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest

from gateway.cli.group import COMMANDS
from gateway.cli.main import main
from gateway.galaxy.command import main as galaxy
from gateway.toolkit.registry import load_tools

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
PAGES = [page for page in PAGES if page.parent.name != "reference"]


def command_lines(page):
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL):
        joined = re.sub(r"\\\n\s*", " ", block)
        for line in joined.splitlines():
            if line.strip().startswith("gateway "):
                yield shlex.split(line.partition("#")[0])[1:]


LINES = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)[:60]}")
    for page in PAGES
    for words in command_lines(page)
]


@pytest.mark.parametrize("words", LINES)
def test_the_command_and_its_options_exist(words):
    assert words[0] in COMMANDS or words[0].startswith("-")
    # the commands of Galaxy are those of a face of their own
    command = galaxy if words[0] == "galaxy" else main.get_command(None, words[0])
    rest = words[1:]
    if isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    known = {n for param in command.params for n in (*param.opts, *param.secondary_opts)}
    known.add("--help")
    for word in rest:
        if word.startswith("--"):
            assert word in known, f"{words[0]} has no option {word}"


@pytest.mark.parametrize("words", [p for p in LINES if p.values[0][0] == "run"])
def test_the_tool_its_ports_and_settings_exist(words):
    if words[1].startswith("-"):
        pytest.skip("a call from a file")
    spec = load_tools().get(words[1])
    if spec is None:
        pytest.skip(f"{words[1]} is the example of a page")
    given = {"--in": spec.inputs, "--out": spec.outputs, "--set": spec.params.model_fields}
    for flag, word in pairwise(words):
        if flag in given:
            assert word.partition("=")[0] in given[flag], word
