"""The audit log: who opened, shared, changed, revoked what, and who signed in."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from gateway.records.access_tables import AuditRow
from gateway.records.database import reading, writing
from gateway.service.access.actor import Actor, Role
from gateway.service.access.rights import require, require_administrator
from gateway.service.gateway import Gateway

OPENED = "opened"
LONGEST_PAGE = 500
_HOUR = timedelta(hours=1)
_REMEMBERED = 10_000
_lock = Lock()
_seen: dict[tuple[str, str, str], datetime] = {}
"""When this process last wrote down that somebody opened a dataset of a home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Somebody did something."""

    id: int
    at: datetime
    who: str
    action: str
    dataset: str | None
    detail: dict[str, Any]
    address: str

    def to_json(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "who": self.who,
            "action": self.action,
            "dataset": self.dataset,
            "detail": self.detail,
            "address": self.address,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which lines are wanted; what is None does not matter."""

    dataset: str | None = None
    who: str | None = None
    """A person, `link:ID` or `nobody`; or a person to whom something was done."""
    action: str | None = None
    since: datetime | None = None
    before: int | None = None
    """Only lines before the one of this id: how the next page is asked for."""
    limit: int = 50


def note(
    gateway: Gateway,
    actor: Actor,
    action: str,
    dataset: str | None = None,
    *,
    into: Connection | None = None,
    **detail: Any,
) -> None:
    """Write down that somebody did something.

    Args:
        gateway: The gateway.
        actor: Who did it.
        action: What, in a few words: `link made`, `role given`.
        dataset: On which dataset, if on one.
        into: The transaction of the thing itself, so that both are kept or neither; None writes
            it down by itself.
        detail: More of it, as JSON values. Never a secret.
    """
    values: dict[str, Any] = {"who": actor.name, "action": action, "dataset": dataset}
    values |= {"detail": detail, "at": datetime.now(UTC), "address": actor.address[:60]}
    with nullcontext(into) if into is not None else writing(gateway.database) as connection:
        connection.execute(insert(AuditRow).values(**values))


def note_opened(gateway: Gateway, actor: Actor, dataset: str) -> None:
    """Write down that somebody opened a dataset, unless that was said within the hour.

    Cheap when it was: nothing but memory is asked.
    """
    now = datetime.now(UTC)
    key = (str(gateway.home), actor.name, dataset)
    with _lock:
        last = _seen.get(key)
        if last is not None and now - last < _HOUR:
            return
        if len(_seen) >= _REMEMBERED:
            _seen.clear()
        _seen[key] = now
    lately = select(AuditRow.at).where(
        AuditRow.dataset == dataset,
        AuditRow.who == actor.name,
        AuditRow.action == OPENED,
        AuditRow.at > now - _HOUR,
    )
    with writing(gateway.database) as connection:
        # another process may have written it
        other = connection.scalar(lately.order_by(AuditRow.at.desc()).limit(1))
        if other is None:
            note(gateway, actor, OPENED, dataset, into=connection)
    if other is not None:
        with _lock:
            _seen[key] = other


def read_audit(gateway: Gateway, actor: Actor, wanted: AuditFilter) -> list[AuditLine]:
    """Return lines of the log, the latest first.

    Args:
        gateway: The gateway.
        actor: An administrator, or an owner of the dataset wanted.
        wanted: Which lines.

    Raises:
        ForbiddenError: The actor is neither.
    """
    if wanted.dataset is None:
        require_administrator(actor)
    else:
        require(gateway, actor, wanted.dataset, Role.OWNER)
    if "\x00" in f"{wanted.who}{wanted.action}{wanted.dataset}":
        return []  # PostgreSQL keeps no NUL: nothing can match
    found = select(AuditRow.__table__)
    if wanted.dataset is not None:
        found = found.where(AuditRow.dataset == wanted.dataset)
    if wanted.who is not None:
        touched = AuditRow.detail["person"].as_string() == wanted.who
        found = found.where(or_(AuditRow.who == wanted.who, touched))
    if wanted.action is not None:
        found = found.where(AuditRow.action == wanted.action)
    if wanted.since is not None:
        found = found.where(AuditRow.at >= wanted.since)
    if wanted.before is not None:
        found = found.where(AuditRow.id < wanted.before)
    page = found.order_by(AuditRow.id.desc()).limit(min(max(wanted.limit, 1), LONGEST_PAGE))
    with reading(gateway.database) as connection:
        return [AuditLine(**row._asdict()) for row in connection.execute(page)]


def list_actions(gateway: Gateway) -> list[str]:
    """Return the actions that the log names, for a filter to choose from."""
    with reading(gateway.database) as connection:
        return list(
            connection.scalars(select(AuditRow.action).distinct().order_by(AuditRow.action))
        )
