"""`gateway people`: who may sign in."""

import click

from gateway.cli.access import administrator, site
from gateway.cli.answer import answer, columns
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.access.groups import add_member, list_groups, remove_member
from gateway.service.access.login import make_login_link
from gateway.service.access.passwords import set_password
from gateway.service.access.people import (
    PROVIDERS,
    Person,
    add_person,
    change_person,
    list_people,
)

_PROVIDER = click.Choice(PROVIDERS)


@click.group("people")
@shared_options
def command() -> None:
    """Add, change and let in people; put them into groups.

    Whoever can open the home of a gateway is its administrator.
    """


@command.command("list")
@shared_options
@pass_shared
def list_all(shared: Shared) -> None:
    """List everybody."""
    with opened(shared) as gateway:
        found = list_people(gateway, administrator())
    lines = columns([_line(person) for person in found]) or ["There is nobody yet."]
    answer({"people": [person.to_json() for person in found]}, lines, as_json=shared.json)


@command.command("add")
@click.argument("name")
@click.option("--display", default="", help="How the person is shown.")
@click.option("--administrator", "rules", is_flag=True, help="Make them an administrator.")
@click.option(
    "--provider", type=_PROVIDER, default="local", show_default=True, help="Who vouches for them."
)
@shared_options
@pass_shared
def add(shared: Shared, name: str, display: str, provider: str, *, rules: bool) -> None:
    """Add a person and print the link that signs them in once."""
    with opened(shared) as gateway:
        actor = administrator()
        person = add_person(
            gateway, actor, name, display=display, administrator=rules, provider=provider
        )
        url = None
        if provider == "local":
            url = f"{site(gateway)}/login?once={make_login_link(gateway, actor, name)}"
    lines = [f"{name} is added."] + ([f"Signs in once: {url}"] if url else [])
    answer({**person.to_json(), "url": url}, lines, as_json=shared.json)


@command.command("change")
@click.argument("name")
@click.option("--display", help="How the person is shown.")
@click.option("--administrator/--no-administrator", "rules", default=None, help="Administers.")
@click.option("--active/--inactive", default=None, help="May sign in; who may not is signed out.")
@click.option("--provider", type=_PROVIDER, help="Who vouches for them.")
@click.option("--heir", help="Who becomes owner of what would be left without one.")
@shared_options
@pass_shared
def change(
    shared: Shared,
    name: str,
    display: str | None,
    provider: str | None,
    heir: str | None,
    *,
    rules: bool | None,
    active: bool | None,
) -> None:
    """Change a person; what is not given stays."""
    with opened(shared) as gateway:
        person = change_person(
            gateway,
            administrator(),
            name,
            display=display,
            administrator=rules,
            active=active,
            provider=provider,
            heir=heir,
        )
    answer(person.to_json(), ["  ".join(_line(person)).rstrip()], as_json=shared.json)


@command.command("password")
@click.argument("name")
@click.password_option("--password", help="The password; asked for where it is left out.")
@shared_options
@pass_shared
def password_of(shared: Shared, name: str, password: str) -> None:
    """Set the password of a person, who is signed out of all browsers."""
    with opened(shared) as gateway:
        set_password(gateway, administrator(), name, password)
    answer({"name": name}, [f"The password of {name} is set."], as_json=shared.json)


@command.command("link")
@click.argument("name")
@shared_options
@pass_shared
def link(shared: Shared, name: str) -> None:
    """Print a link that signs a person in once."""
    with opened(shared) as gateway:
        key = make_login_link(gateway, administrator(), name)
        url = f"{site(gateway)}/login?once={key}"
    answer({"name": name, "url": url}, [url], as_json=shared.json)


@command.command("groups")
@shared_options
@pass_shared
def groups(shared: Shared) -> None:
    """List the groups and who is in them."""
    with opened(shared) as gateway:
        found = list_groups(gateway, administrator())
    lines = columns([(group, ", ".join(names)) for group, names in found.items()])
    answer({"groups": found}, lines or ["There are no groups."], as_json=shared.json)


@command.command("join")
@click.argument("group")
@click.argument("name")
@shared_options
@pass_shared
def join(shared: Shared, group: str, name: str) -> None:
    """Put a person into a group."""
    with opened(shared) as gateway:
        add_member(gateway, administrator(), group, name)
    answer({"group": group, "name": name}, [f"{name} is in {group}."], as_json=shared.json)


@command.command("leave")
@click.argument("group")
@click.argument("name")
@shared_options
@pass_shared
def leave(shared: Shared, group: str, name: str) -> None:
    """Take a person out of a group."""
    with opened(shared) as gateway:
        remove_member(gateway, administrator(), group, name)
    answer({"group": group, "name": name}, [f"{name} is out of {group}."], as_json=shared.json)


def _line(person: Person) -> tuple[str, ...]:
    state = "" if person.active else "deactivated"
    rules = "administrator" if person.administrator else ""
    marks = ", ".join(filter(None, (state, rules)))
    return (person.name, person.display, person.provider, ", ".join(person.groups), marks)
