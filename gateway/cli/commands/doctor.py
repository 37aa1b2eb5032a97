"""`gateway doctor`: check this machine."""

import click

from gateway.cli.answer import answer, columns
from gateway.cli.group import DONE, FAILED
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.doctor import Check, examine

_SIGNS = {"ok": "ok", "note": "note", "missing": "MISSING"}


@click.command("doctor")
@shared_options
@pass_shared
def command(shared: Shared) -> int:
    """Check this machine and say what is missing.

    Notes are worth knowing; only what is MISSING makes the command fail.
    """
    checks = list(examine(shared.home))
    fit = all(check.state != "missing" for check in checks)
    data = {"fit": fit, "checks": [_as_json(check) for check in checks]}
    lines = columns([(_SIGNS[check.state], check.name, check.detail) for check in checks])
    lines += [f"try: {check.advice}" for check in checks if check.advice]
    lines.append("This machine is fit for work." if fit else "Something needed is missing.")
    answer(data, lines, as_json=shared.json)
    return DONE if fit else FAILED


def _as_json(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "state": check.state,
        "detail": check.detail,
        "advice": check.advice,
    }
