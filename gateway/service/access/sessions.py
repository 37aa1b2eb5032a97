"""Sessions of browsers and tokens of programs: a secret outside, its hash in the database."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, insert, select, update

from gateway.errors import CallError, NotFoundError, SignInError
from gateway.records.access_tables import MemberRow, PersonRow, SessionRow
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor
from gateway.service.access.audit import note as audit_note
from gateway.service.access.changes import changing
from gateway.service.access.rights import refuse_notebook, require_person
from gateway.service.access.texts import check_text
from gateway.service.access.vouching import vouched_until
from gateway.service.gateway import Gateway

BROWSER_LIFE = timedelta(days=14)
TOKEN_LIFE = timedelta(days=90)
LONGEST_TOKEN_LIFE = timedelta(days=366)
_KEPT = timedelta(days=30)
"""How long sessions are kept after they expired."""
_LONGEST_NOTE = 200
_ID_LENGTH = 16
_LONGEST_SECRET = 200
_ENDED = "this session or token has ended; sign in again"

Kind = Literal["browser", "token", "notebook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session or a token as its person sees it; the secret is kept nowhere."""

    id: str
    kind: str
    note: str
    """The browser, or what a token is for."""
    made: datetime
    expires: datetime
    current: bool
    """Whether it is the one that asks."""

    def to_json(self) -> dict[str, Any]:
        """Return the session as JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "note": self.note,
            "made": self.made.isoformat(),
            "expires": self.expires.isoformat(),
            "current": self.current,
        }


def open_session(
    gateway: Gateway,
    person: str,
    *,
    kind: Kind = "browser",
    note: str = "",
    life: timedelta = BROWSER_LIFE,
    vouched: str | None = None,
) -> str:
    """Begin a session and return its secret, which is shown once and kept nowhere.

    Args:
        gateway: The gateway.
        person: Whose it is.
        kind: Of a browser, a token of a program, or of a notebook server.
        note: The browser, or what it is for.
        life: How long it holds.
        vouched: The hub's number of the sign-in there, which must hold too.
    """
    secret = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    values: dict[str, Any] = {"id": _hash(secret), "person": person, "kind": kind}
    values |= {"note": note[:_LONGEST_NOTE], "vouched": vouched}
    with writing(gateway.database) as connection:
        connection.execute(delete(SessionRow).where(SessionRow.expires < now - _KEPT))
        connection.execute(insert(SessionRow).values(**values, made=now, expires=now + life))
    return secret


def make_token(
    gateway: Gateway, actor: Actor, note: str = "", life: timedelta = TOKEN_LIFE
) -> tuple[Session, str]:
    """Make a token with which a program acts for the person; return it and its secret.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: A share link asks.
        CallError: The life or the note is out of bounds.
    """
    person = require_person(actor)
    refuse_notebook(actor)
    if not timedelta(seconds=1) <= life <= LONGEST_TOKEN_LIFE:
        raise CallError(f"a token cannot hold for {life}; at most {LONGEST_TOKEN_LIFE.days} days")
    note = check_text("the note", note)
    secret = open_session(gateway, person, kind="token", note=note, life=life)
    made = next(s for s in list_sessions(gateway, actor, "token") if _is(s, secret))
    audit_note(gateway, actor, "token made", token=made.id, note=made.note)
    return made, secret


def list_sessions(
    gateway: Gateway, actor: Actor, kind: Kind, secret: str | None = None
) -> list[Session]:
    """Return the open sessions or tokens of the person who asks, the latest first.

    Args:
        gateway: The gateway.
        actor: The person.
        kind: Of browsers, or tokens of programs.
        secret: The secret of the session that asks, which is then marked as the current one.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: A share link asks.
    """
    person = require_person(actor)
    now = datetime.now(UTC)
    open_ones = select(SessionRow.__table__).where(
        SessionRow.person == person,
        SessionRow.kind == kind,
        SessionRow.ended.is_(None),
        SessionRow.expires > now,
    )
    current = _hash(secret) if secret else ""
    with reading(gateway.database) as connection:
        rows = connection.execute(open_ones.order_by(SessionRow.made.desc(), SessionRow.id)).all()
    return [
        Session(
            id=row.id[:_ID_LENGTH],
            kind=row.kind,
            note=row.note,
            made=row.made,
            expires=row.expires,
            current=row.id == current,
        )
        for row in rows
    ]


def end_session(gateway: Gateway, secret: str) -> None:
    """End a session; nothing happens where it has ended."""
    ended = update(SessionRow).where(SessionRow.id == _hash(secret), SessionRow.ended.is_(None))
    with changing(gateway) as connection:
        connection.execute(ended.values(ended=datetime.now(UTC)))


def end_one(gateway: Gateway, actor: Actor, kind: Kind, session: str) -> None:
    """End one session or token of the person who asks.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: A share link asks.
        NotFoundError: The person has no such session or token that is open.
    """
    person = require_person(actor)
    ended = update(SessionRow).where(
        SessionRow.person == person,
        SessionRow.kind == kind,
        SessionRow.ended.is_(None),
        SessionRow.id.startswith(session, autoescape=True),
    )
    known = len(session) == _ID_LENGTH
    with changing(gateway) as connection:
        change = ended.values(ended=datetime.now(UTC))
        if not known or not connection.execute(change).rowcount:
            what = "token" if kind == "token" else "session"
            # what was given is not repeated: it may be the secret itself
            raise NotFoundError(f"{person} has no open {what} of that id; list them to see the ids")
        audit_note(gateway, actor, f"{kind} ended", into=connection, session=session)


def end_browsers(gateway: Gateway, person: str, *, but: str | None = None) -> int:
    """End the browser sessions of a person, but for the one of a secret; return how many."""
    kept = _hash(but) if but else ""
    ended = update(SessionRow).where(
        SessionRow.person == person,
        SessionRow.kind == "browser",
        SessionRow.ended.is_(None),
        SessionRow.id != kept,
    )
    with changing(gateway) as connection:
        return connection.execute(ended.values(ended=datetime.now(UTC))).rowcount


def end_notebook(gateway: Gateway, person: str, server: str) -> int:
    """End the tokens of a person's notebook server; return how many held."""
    ended = update(SessionRow).where(
        SessionRow.person == person,
        SessionRow.kind == "notebook",
        SessionRow.note == server[:_LONGEST_NOTE],
        SessionRow.ended.is_(None),
    )
    with changing(gateway) as connection:
        return connection.execute(ended.values(ended=datetime.now(UTC))).rowcount


def actor_of(gateway: Gateway, secret: str) -> Actor:
    """Return whose session a secret is.

    Raises:
        SignInError: There is no such session, it has ended, or its person may not sign in.
    """
    row = _open_row(gateway, secret)
    until = row.expires.timestamp()
    if row.vouched is not None:
        vouched = vouched_until(gateway, row.name, row.vouched)
        if vouched is None:
            end_session(gateway, secret)
            raise SignInError(_ENDED)
        until = min(until, vouched)
        row = _open_row(gateway, secret)  # what the hub said of the person counts at once
    mine = select(MemberRow.group).where(MemberRow.person == row.name)
    with reading(gateway.database) as connection:
        groups = frozenset(connection.scalars(mine))
    return Actor(
        person=row.name,
        administrator=row.administrator,
        notebook=row.kind == "notebook",
        groups=groups,
        until=until,
    )


def _open_row(gateway: Gateway, secret: str) -> Row[datetime, str | None, str, str, bool, bool]:
    columns = (SessionRow.expires, SessionRow.vouched, SessionRow.kind, PersonRow.name)
    found = select(*columns, PersonRow.administrator, PersonRow.active)
    found = found.join(PersonRow, PersonRow.name == SessionRow.person)
    found = found.where(SessionRow.id == _hash(secret), SessionRow.ended.is_(None))
    with reading(gateway.database) as connection:
        row = connection.execute(found).one_or_none()
    if row is None or row.expires <= datetime.now(UTC) or not row.active:
        raise SignInError(_ENDED)
    return row


def _is(session: Session, secret: str) -> bool:
    return session.id == _hash(secret)[:_ID_LENGTH]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret[:_LONGEST_SECRET].encode(errors="replace")).hexdigest()
