"""`gateway share`: who may see a dataset, by role or by link."""

from datetime import timedelta

import click

from gateway.cli.access import administrator, site
from gateway.cli.answer import answer, columns
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.access.actor import Role, parse_role
from gateway.service.access.audit import LONGEST_PAGE, AuditFilter, AuditLine, read_audit
from gateway.service.access.grants import give_role, grants_of
from gateway.service.access.links import (
    LONGEST_LIFE,
    USUAL_LIFE,
    Link,
    find_link,
    list_links,
    make_link,
    revoke_link,
)
from gateway.volumes.ref import parse_dataset, parse_ref

_NONE = "none"
_ROLES = click.Choice([role.label for role in Role])


@click.group("share")
@shared_options
def command() -> None:
    """Say who may see a dataset: by role, or by a link that anybody can hold."""


@command.command("list")
@click.argument("dataset")
@shared_options
@pass_shared
def list_all(shared: Shared, dataset: str) -> None:
    """List the roles on a dataset and its share links."""
    with opened(shared) as gateway:
        links = list_links(gateway, administrator(), dataset)
        grants = grants_of(gateway, dataset)
    roles = {subject: role.label for subject, role in grants.items()}
    lines = columns(list(roles.items())) or [f"Nobody has a role on {dataset}."]
    lines += columns([_link_line(link) for link in links])
    data = {"dataset": dataset, "roles": roles, "links": [link.to_json() for link in links]}
    answer(data, lines, as_json=shared.json)


@command.command("give")
@click.argument("dataset")
@click.argument("subject")
@click.argument("role", type=_ROLES)
@shared_options
@pass_shared
def give(shared: Shared, dataset: str, subject: str, role: str) -> None:
    """Give a role on a dataset; `none` takes it away.

    SUBJECT is person:NAME, group:NAME or everyone, who can be viewer.
    """
    chosen = Role.NONE if role == _NONE else parse_role(role)
    with opened(shared) as gateway:
        give_role(gateway, administrator(), dataset, subject, chosen)
    line = (
        f"{subject} is {role} of {dataset}." if chosen else f"{subject} has no role on {dataset}."
    )
    answer({"dataset": dataset, "subject": subject, "role": role}, [line], as_json=shared.json)


@command.command("make")
@click.argument("ref")
@click.option(
    "--role",
    type=click.Choice(["viewer", "annotator"]),
    default="viewer",
    show_default=True,
    help="What the link allows.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, LONGEST_LIFE.days, min_open=True),
    default=float(USUAL_LIFE.days),
    show_default=True,
    help="How long it holds.",
)
@click.option("--note", default="", help="For whom it is.")
@shared_options
@pass_shared
def make(shared: Shared, ref: str, role: str, days: float, note: str) -> None:
    """Print a share link to a dataset, or to one thing of it: DATASET or DATASET/NAME."""
    dataset, entry = _parse(ref)
    with opened(shared) as gateway:
        link, token = make_link(
            gateway,
            administrator(),
            dataset,
            entry,
            parse_role(role),
            life=timedelta(days=days),
            note=note,
        )
        url = f"{site(gateway)}/s/{token}/"
        made = find_link(gateway, link)
    answer({**made.to_json(), "url": url}, [url], as_json=shared.json)


@command.command("revoke")
@click.argument("link")
@shared_options
@pass_shared
def revoke(shared: Shared, link: str) -> None:
    """End a share link at once, by its id."""
    with opened(shared) as gateway:
        revoke_link(gateway, administrator(), link)
        ended = find_link(gateway, link)
    answer(ended.to_json(), [f"The link {link} is revoked."], as_json=shared.json)


@command.command("log")
@click.argument("dataset", required=False)
@click.option("--who", help="Only what this person, or link:ID, did or what was done to them.")
@click.option("--action", help="Only this, `link made` say.")
@click.option(
    "--limit",
    type=click.IntRange(1, LONGEST_PAGE),
    default=50,
    show_default=True,
    help="At most so many, the latest first.",
)
@shared_options
@pass_shared
def log(
    shared: Shared, dataset: str | None, who: str | None, action: str | None, limit: int
) -> None:
    """Print who opened, shared, changed, revoked and signed in, the latest first."""
    wanted = AuditFilter(dataset=dataset, who=who, action=action, limit=limit)
    with opened(shared) as gateway:
        lines = read_audit(gateway, administrator(), wanted)
    data = {"lines": [line.to_json() for line in lines]}
    answer(data, columns([_log_line(line) for line in lines]), as_json=shared.json)


def _parse(text: str) -> tuple[str, str | None]:
    if "/" not in text:
        return parse_dataset(text), None
    ref = parse_ref(text)
    return ref.dataset, ref.name


def _link_line(link: Link) -> tuple[str, ...]:
    what = f"{link.dataset}/{link.entry}" if link.entry else link.dataset
    until = f"until {link.expires:%Y-%m-%d}"
    return (link.id, link.status, what, link.role.label, until, link.made_by, link.note)


def _log_line(line: AuditLine) -> tuple[str, ...]:
    detail = ", ".join(f"{key}={value}" for key, value in line.detail.items() if value)
    return (f"{line.at:%Y-%m-%d %H:%M}", line.who, line.action, line.dataset or "", detail)
