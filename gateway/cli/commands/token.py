"""`gateway token`: tokens with which programs act for a person."""

from dataclasses import replace
from datetime import timedelta

import click

from gateway.cli.access import administrator
from gateway.cli.answer import answer, columns
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.access.actor import Actor
from gateway.service.access.people import ensure_person, find_person
from gateway.service.access.sessions import (
    LONGEST_TOKEN_LIFE,
    TOKEN_LIFE,
    end_one,
    list_sessions,
    make_token,
)
from gateway.service.gateway import Gateway

_PERSON = click.option("--person", help="For whom it acts; without it, you.")


@click.group("token")
@shared_options
def command() -> None:
    """Make, list and end tokens with which programs act for a person."""


@command.command("make")
@_PERSON
@click.option("--note", default="", help="What it is for.")
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_TOKEN_LIFE.days),
    default=TOKEN_LIFE.days,
    show_default=True,
    help="How long it holds.",
)
@shared_options
@pass_shared
def make(shared: Shared, person: str | None, note: str, days: int) -> None:
    """Print a new token; it is kept nowhere and shown this once."""
    with opened(shared) as gateway:
        made, secret = make_token(gateway, _for(gateway, person), note, timedelta(days=days))
    answer({**made.to_json(), "token": secret}, [secret], as_json=shared.json)


@command.command("list")
@_PERSON
@shared_options
@pass_shared
def list_all(shared: Shared, person: str | None) -> None:
    """List the tokens that hold."""
    with opened(shared) as gateway:
        found = list_sessions(gateway, _for(gateway, person), "token")
    rows = [(item.id, f"until {item.expires:%Y-%m-%d}", item.note) for item in found]
    data = {"tokens": [item.to_json() for item in found]}
    answer(data, columns(rows) or ["There are no tokens."], as_json=shared.json)


@command.command("revoke")
@click.argument("token_id")
@_PERSON
@shared_options
@pass_shared
def revoke(shared: Shared, token_id: str, person: str | None) -> None:
    """End a token at once, by its id."""
    with opened(shared) as gateway:
        end_one(gateway, _for(gateway, person), "token", token_id)
    answer({"id": token_id}, [f"The token {token_id} is ended."], as_json=shared.json)


def _for(gateway: Gateway, person: str | None) -> Actor:
    """Return the person a token is of."""
    actor = administrator()
    if person is None:
        ensure_person(gateway, str(actor.person), administrator=True)
        return actor
    return replace(actor, person=find_person(gateway, person).name)
