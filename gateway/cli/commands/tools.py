"""`gateway tools`: list the tools there are."""

import click

from gateway.cli.answer import answer, columns
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.toolbox import broken_tools, list_tools, summarize_tool


@click.command("tools")
@shared_options
@pass_shared
def command(shared: Shared) -> None:
    """List the tools there are.

    `gateway run TOOL --help` says what one of them takes and gives.
    """
    specs = list_tools()
    broken = broken_tools()
    data = {"tools": [summarize_tool(spec) for spec in specs], "broken": list(broken)}
    rows = [
        (spec.id, f"{', '.join(spec.inputs)} -> {', '.join(spec.outputs)}", spec.summary)
        for spec in specs
    ]
    left_out = [f"left out: {reason}" for reason in broken]
    lines = [*columns(rows), *left_out, "", "gateway run TOOL --help shows what a tool takes."]
    answer(data, lines, as_json=shared.json)
