"""`gateway doctor`: check this machine, or say why a viewer shows nothing of a thing."""

import click

from gateway.cli.answer import answer, columns, note
from gateway.cli.group import DONE, FAILED
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.doctor import Check, examine, try_all
from gateway.service.view.blank import diagnose
from gateway.volumes.ref import parse_ref

_SIGNS = {"ok": "ok", "note": "note", "missing": "MISSING"}


@click.command("doctor")
@click.argument("ref", required=False)
@click.option(
    "--warm",
    is_flag=True,
    help="Compile the numerical kernels first, by leading a tiny brain all the way.",
)
@shared_options
@pass_shared
def command(shared: Shared, /, *, ref: str | None, warm: bool) -> int:
    """Check this machine and say what is missing.

    Notes are worth knowing; only what is MISSING makes the command fail.

    With REF, a volume or points table, say instead why a viewer may show nothing of it: scale,
    empty levels, contrast, missing files. It fails where a reason is found.
    """
    if ref is not None:
        return _diagnose(shared, ref)
    if warm:
        note("compiling the kernels (once; up to a minute)")
    tried = [try_all()] if warm else []
    checks = [*examine(shared.home), *tried]
    fit = all(check.state != "missing" for check in checks)
    data = {"fit": fit, "checks": [_as_json(check) for check in checks]}
    lines = columns([(_SIGNS[check.state], check.name, check.detail) for check in checks])
    lines += [f"try: {check.advice}" for check in checks if check.advice]
    lines.append("This machine is fit for work." if fit else "Something needed is missing.")
    answer(data, lines, as_json=shared.json)
    return DONE if fit else FAILED


def _diagnose(shared: Shared, ref: str) -> int:
    """Say why a viewer may show nothing of a thing."""
    with opened(shared) as gateway:
        found = diagnose(gateway, parse_ref(ref))
    blank = any(finding.severity == "wrong" for finding in found)
    lines = columns([(finding.severity, finding.where, finding.what) for finding in found])
    lines += [f"try: {finding.advice}" for finding in found if finding.advice]
    ended = "A viewer shows nothing of it, or not what it holds." if blank else "It can be seen."
    data = {"ref": ref, "findings": [finding.to_json() for finding in found]}
    answer(data, [*lines, ended], as_json=shared.json)
    return FAILED if blank else DONE


def _as_json(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "state": check.state,
        "detail": check.detail,
        "advice": check.advice,
    }
