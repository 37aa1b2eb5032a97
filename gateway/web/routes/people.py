"""People, groups and roles."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.service.access.actor import Role, parse_role
from gateway.service.access.grants import candidates, give_role, grants_of
from gateway.service.access.groups import add_member, list_groups, remove_member
from gateway.service.access.login import make_login_link
from gateway.service.access.passwords import LONGEST, SHORTEST, set_password
from gateway.service.access.people import add_person, change_person, find_person, list_people
from gateway.web.addresses import site_url
from gateway.web.rules import Administrator, GatewayHere, Owner

router = APIRouter(prefix="/api", tags=["people"])

Name = Annotated[str, Field(min_length=1, max_length=120)]
Provider = Literal["local", "oauth2"]
RoleName = Literal["none", "viewer", "annotator", "editor", "owner"]


class NewPerson(BaseModel):
    """Somebody to be added."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    display: Annotated[str, Field(max_length=200)] = ""
    administrator: bool = False
    provider: Provider = "local"


class PersonChange(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    display: Annotated[str | None, Field(max_length=200)] = None
    administrator: bool | None = None
    active: bool | None = None
    provider: Provider | None = None
    heir: Annotated[Name | None, Field(description="Owner of what would be left without one.")] = (
        None
    )


class NewPassword(BaseModel):
    """A password to be set."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[SecretStr, Field(min_length=SHORTEST, max_length=LONGEST)]


class NewRole(BaseModel):
    """A role to be given, or with `none` to be taken away."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[
        str, Field(max_length=140, description="`person:NAME`, `group:NAME` or `everyone`.")
    ]
    role: RoleName


@router.get("/people")
def people(gateway: GatewayHere, actor: Administrator) -> list[dict[str, Any]]:
    """List all people."""
    return [person.to_json() for person in list_people(gateway, actor)]


@router.post("/people", status_code=201)
def new_person(gateway: GatewayHere, actor: Administrator, new: NewPerson) -> dict[str, Any]:
    """Add a person."""
    return add_person(gateway, actor, **new.model_dump()).to_json()


@router.get("/people/{name}")
def one_person(gateway: GatewayHere, actor: Administrator, name: str) -> dict[str, Any]:
    """Return what is known of a person."""
    del actor
    return find_person(gateway, name).to_json()


@router.patch("/people/{name}")
def person_changed(
    gateway: GatewayHere, actor: Administrator, name: str, change: PersonChange
) -> dict[str, Any]:
    """Change a person; who is deactivated is signed out everywhere."""
    return change_person(gateway, actor, name, **change.model_dump()).to_json()


@router.put("/people/{name}/password", status_code=204)
def new_password(gateway: GatewayHere, actor: Administrator, name: str, new: NewPassword) -> None:
    """Set the password of a person, who is signed out of all browsers."""
    set_password(gateway, actor, name, new.password.get_secret_value())


@router.post("/people/{name}/login-link", status_code=201)
def login_link(
    request: Request, gateway: GatewayHere, actor: Administrator, name: str
) -> dict[str, str]:
    """Make a link that signs a person in once."""
    key = make_login_link(gateway, actor, name)
    return {"url": f"{site_url(request, gateway)}/login?once={key}"}


@router.get("/groups")
def groups(gateway: GatewayHere, actor: Administrator) -> dict[str, list[str]]:
    """Return the members of every group."""
    return list_groups(gateway, actor)


@router.put("/groups/{group}/members/{name}", status_code=204)
def new_member(gateway: GatewayHere, actor: Administrator, group: str, name: str) -> None:
    """Put a person into a group, which there is from its first member on."""
    add_member(gateway, actor, group, name)


@router.delete("/groups/{group}/members/{name}", status_code=204)
def member_gone(gateway: GatewayHere, actor: Administrator, group: str, name: str) -> None:
    """Take a person out of a group."""
    remove_member(gateway, actor, group, name)


@router.get("/grants/{dataset}")
def grants(gateway: GatewayHere, actor: Owner, dataset: str) -> dict[str, str]:
    """Return who has which role on a dataset, by subject."""
    del actor
    return {subject: role.label for subject, role in grants_of(gateway, dataset).items()}


@router.put("/grants/{dataset}")
def new_grant(gateway: GatewayHere, actor: Owner, dataset: str, new: NewRole) -> dict[str, str]:
    """Give somebody a role on a dataset, in place of an earlier one."""
    role = Role.NONE if new.role == "none" else parse_role(new.role)
    give_role(gateway, actor, dataset, new.subject, role)
    return {subject: role.label for subject, role in grants_of(gateway, dataset).items()}


@router.get("/grants/{dataset}/candidates")
def grant_candidates(gateway: GatewayHere, actor: Owner, dataset: str) -> dict[str, Any]:
    """Return the people and groups to whom a role can be given."""
    del actor, dataset
    return candidates(gateway).to_json()
