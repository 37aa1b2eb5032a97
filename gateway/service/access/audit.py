"""The audit log: who opened, shared, changed, revoked what, and who signed in."""

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert

from gateway.records.access_tables import AuditRow
from gateway.records.database import writing
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway


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
    values |= {"detail": detail, "at": datetime.now(UTC), "address": actor.address}
    with nullcontext(into) if into is not None else writing(gateway.database) as connection:
        connection.execute(insert(AuditRow).values(**values))
