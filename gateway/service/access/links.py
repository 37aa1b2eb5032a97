"""Share links: whoever has one may see, or annotate, one dataset or one thing of it, for a time."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Row, insert, select, update

from gateway.errors import CallError, ForbiddenError, NotFoundError
from gateway.records.access_tables import LinkRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor, Role, parse_role
from gateway.service.access.audit import note as audit_note
from gateway.service.access.changes import changing
from gateway.service.access.keys import secret_of
from gateway.service.access.rights import require
from gateway.service.access.texts import check_text
from gateway.service.gateway import Gateway
from gateway.volumes.dataset import list_entries
from gateway.volumes.ref import parse_dataset, parse_ref

USUAL_LIFE = timedelta(days=14)
LONGEST_LIFE = timedelta(days=366)
_SHORTEST_LIFE = timedelta(seconds=1)
_LONGEST_TOKEN = 200
_REFUSAL = "this share link is not valid; ask whoever sent it for a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A share link as its owners see it; the token is not part of it."""

    id: str
    dataset: str
    entry: str | None
    role: Role
    note: str
    made_by: str
    made: datetime
    expires: datetime
    revoked: datetime | None

    @property
    def status(self) -> str:
        """`open`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "open" if self.expires > datetime.now(UTC) else "expired"

    def to_json(self) -> dict[str, Any]:
        """Return the link as JSON values."""
        return {
            "id": self.id,
            "dataset": self.dataset,
            "entry": self.entry,
            "role": self.role.label,
            "note": self.note,
            "made_by": self.made_by,
            "made": self.made.isoformat(),
            "expires": self.expires.isoformat(),
            "revoked": self.revoked.isoformat() if self.revoked else None,
            "status": self.status,
        }


def make_link(
    gateway: Gateway,
    actor: Actor,
    dataset: str,
    entry: str | None = None,
    role: Role = Role.VIEWER,
    *,
    life: timedelta = USUAL_LIFE,
    note: str = "",
) -> tuple[str, str]:
    """Make a share link and return its id and its token, the part after `/s/`.

    Args:
        gateway: The gateway.
        actor: Who shares; must be an owner of the dataset.
        dataset: What is shared.
        entry: The one thing of it that is shared; None shares the whole dataset.
        role: Viewer or annotator.
        life: How long the link holds.
        note: For whom it is, say.

    Raises:
        ForbiddenError: The actor is no owner of the dataset.
        NotFoundError: There is no such dataset or thing.
        CallError: The role, the life or the note is out of bounds.
    """
    require(gateway, actor, parse_dataset(dataset), Role.OWNER)
    _check(role, life)
    note = check_text("the note", note)
    _check_there(gateway, dataset, entry)
    link, now = secrets.token_hex(8), datetime.now(UTC)
    values: dict[str, Any] = {"dataset": dataset, "entry": entry, "role": role.label}
    values["note"] = note
    values |= {"made_by": actor.name, "made": now, "expires": now + life}
    with changing(gateway) as connection:
        connection.execute(insert(LinkRow).values(id=link, **values))
        said = {"link": link, "entry": entry, "role": role.label, "note": note}
        expires = (now + life).isoformat(timespec="seconds")
        audit_note(gateway, actor, "link made", dataset, into=connection, expires=expires, **said)
    return link, str(_signer(gateway).dumps(link))


def link_token(gateway: Gateway, actor: Actor, link: str) -> str:
    """Return the token of a link again, so that an owner may copy it once more.

    Raises:
        ForbiddenError: The actor is no owner of its dataset.
        NotFoundError: There is no such link.
    """
    found = find_link(gateway, link)
    require(gateway, actor, found.dataset, Role.OWNER)
    return str(_signer(gateway).dumps(link))


def list_links(gateway: Gateway, actor: Actor, dataset: str) -> list[Link]:
    """Return the links of a dataset, the latest first, also those that ended.

    Raises:
        ForbiddenError: The actor is no owner of the dataset.
    """
    require(gateway, actor, dataset, Role.OWNER)
    statement = select(LinkRow).where(LinkRow.dataset == dataset)
    statement = statement.order_by(LinkRow.made.desc(), LinkRow.id)
    with reading(gateway.database) as connection:
        return [_link(row) for row in connection.execute(statement)]


def find_link(gateway: Gateway, link: str) -> Link:
    """Return a link by its id.

    Raises:
        NotFoundError: There is no such link.
    """
    with reading(gateway.database) as connection:
        row = connection.execute(select(LinkRow).where(LinkRow.id == link)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no share link {link!r}; list them with their dataset")
    return _link(row)


def revoke_link(gateway: Gateway, actor: Actor, link: str) -> None:
    """End a link at once: the next request with it is refused.

    Raises:
        ForbiddenError: The actor is no owner of its dataset.
        NotFoundError: There is no such link.
    """
    found = find_link(gateway, link)
    require(gateway, actor, found.dataset, Role.OWNER)
    ended = update(LinkRow).where(LinkRow.id == link, LinkRow.revoked.is_(None))
    with changing(gateway) as connection:
        if connection.execute(ended.values(revoked=datetime.now(UTC))).rowcount:
            said = {"link": link, "entry": found.entry, "note": found.note}
            audit_note(gateway, actor, "link revoked", found.dataset, into=connection, **said)


def link_actor(gateway: Gateway, token: str) -> Actor:
    """Return the actor that a link's token stands for, until `Actor.until`.

    Raises:
        ForbiddenError: The token was not made here, or its link expired or was revoked. The
            message does not repeat the token.
    """
    try:
        link = _signer(gateway).loads(token) if len(token) <= _LONGEST_TOKEN else None
    except BadSignature as error:
        raise ForbiddenError(_REFUSAL) from error
    with reading(gateway.database) as connection:
        row = connection.execute(select(LinkRow).where(LinkRow.id == str(link))).one_or_none()
    if row is None:
        raise ForbiddenError(_REFUSAL)
    found = _link(row)
    if found.status != "open":
        raise ForbiddenError(
            f"this share link has {'been revoked' if found.revoked else 'expired'}; ask "
            f"{found.made_by} for a new one"
        )
    return Actor(
        link=found.id,
        link_dataset=found.dataset,
        link_entry=found.entry,
        link_role=min(found.role, Role.ANNOTATOR),
        until=found.expires.timestamp(),
    )


def _check(role: Role, life: timedelta) -> None:
    if role not in (Role.VIEWER, Role.ANNOTATOR):
        raise CallError(f"a share link cannot be {role.label}; expected viewer or annotator")
    if not _SHORTEST_LIFE <= life <= LONGEST_LIFE:
        raise CallError(
            f"a share link cannot hold for {life}; expected at most {LONGEST_LIFE.days} days"
        )


def _check_there(gateway: Gateway, dataset: str, entry: str | None) -> None:
    names = {item.ref.name for item in list_entries(gateway.store, dataset)}
    if entry is not None and parse_ref(f"{dataset}/{entry}").name not in names:
        there = ", ".join(sorted(names)) or "nothing yet"
        raise NotFoundError(f"there is nothing called {entry!r} in {dataset}; there is {there}")


def _signer(gateway: Gateway) -> URLSafeSerializer:
    return URLSafeSerializer(secret_of(gateway), salt="gateway.share")


def _link(row: Row[Any]) -> Link:
    values = row._asdict()
    return Link(**{**values, "role": parse_role(values["role"])})
