"""How many jobs and sessions there are, and whether the gateway can work at all."""

from datetime import UTC, datetime

from sqlalchemy import func, select

from gateway.errors import GatewayError
from gateway.records.access_tables import SessionRow
from gateway.records.database import reading
from gateway.records.work_tables import JobRow
from gateway.service.gateway import Gateway


def count_jobs(gateway: Gateway) -> dict[str, int]:
    """Return the number of jobs by status.

    Raises:
        StoreError: The database failed.
    """
    statement = select(JobRow.status, func.count()).group_by(JobRow.status)
    with reading(gateway.database) as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(statement)}


def count_sessions(gateway: Gateway) -> dict[str, int]:
    """Return the number of sessions that hold now, by kind: browser, token.

    Raises:
        StoreError: The database failed.
    """
    holds = (SessionRow.ended.is_(None), SessionRow.expires > datetime.now(UTC))
    statement = select(SessionRow.kind, func.count()).where(*holds).group_by(SessionRow.kind)
    with reading(gateway.database) as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(statement)}


def check_parts(gateway: Gateway) -> dict[str, bool]:
    """Return whether store and database answer, each within one cheap question."""
    return {"store": _store_answers(gateway), "database": _database_answers(gateway)}


def _store_answers(gateway: Gateway) -> bool:
    root = gateway.store.local_path("")
    try:
        if root is not None:
            return root.is_dir()
        gateway.store.exists("health")  # whatever the answer, there is one
    except (GatewayError, OSError):
        return False
    return True


def _database_answers(gateway: Gateway) -> bool:
    try:
        with reading(gateway.database) as connection:
            connection.execute(select(1))
    except GatewayError:
        return False
    return True
