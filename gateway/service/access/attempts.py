"""Bounds how often a sign-in may fail, per name and per address, over all processes."""

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select

from gateway.errors import LimitError
from gateway.records.access_tables import AccessVersionRow, AttemptRow
from gateway.records.database import writing
from gateway.service.gateway import Gateway

WINDOW = timedelta(minutes=15)
OF_A_NAME = 10
OF_AN_ADDRESS = 50


def reserve(gateway: Gateway, name: str | None, address: str) -> list[int]:
    """Count one more attempt before it is made, so that many at once do not slip through.

    Args:
        gateway: The gateway.
        name: Who is to be signed in, whether they exist or not; None where only the identity
            provider knows.
        address: Where the request came from.

    Returns:
        What `forgive` takes back when the sign-in succeeds.

    Raises:
        LimitError: Too many have failed of late; says when to try again.
    """
    now = datetime.now(UTC)
    limits = {f"address:{address[:60]}": OF_AN_ADDRESS}
    if name is not None:
        # people type passwords into the wrong field: what was typed is not kept
        limits[f"name:{hashlib.sha256(name.encode(errors='replace')).hexdigest()}"] = OF_A_NAME
    made = []
    with writing(gateway.database) as connection:
        # one at a time on PostgreSQL too, where writers do not exclude each other
        connection.execute(select(AccessVersionRow.id).with_for_update())
        connection.execute(delete(AttemptRow).where(AttemptRow.at < now - WINDOW))
        for subject, limit in limits.items():
            there = select(func.count(), func.min(AttemptRow.at)).where(
                AttemptRow.subject == subject
            )
            count, first = connection.execute(there).one()
            if count >= limit:
                minutes = max(1, -(-int((first + WINDOW - now).total_seconds()) // 60))
                raise LimitError(
                    f"too many failed sign-ins; try again in {minutes} minute(s), or ask an "
                    "administrator for a login link"
                )
        for subject in limits:
            row = insert(AttemptRow).values(subject=subject, at=now).returning(AttemptRow.id)
            made.append(connection.execute(row).scalar_one())
    return made


def forgive(gateway: Gateway, reserved: list[int]) -> None:
    """Take attempts back, since they succeeded."""
    with writing(gateway.database) as connection:
        connection.execute(delete(AttemptRow).where(AttemptRow.id.in_(reserved)))
