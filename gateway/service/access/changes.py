"""Tells cheaply whether rights may have changed since something was decided.

Every change of people, groups, grants, sessions or links counts one number up in the same
transaction. On SQLite reading it costs a look at the shared memory of the write-ahead log, unless
something was written since; on PostgreSQL one round trip on a connection of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

from gateway.errors import StoreError
from gateway.records.access_tables import AccessVersionRow
from gateway.records.database import writing
from gateway.service.gateway import Gateway

_SELECT = str(select(AccessVersionRow.version))


@contextmanager
def changing(gateway: Gateway) -> Iterator[Connection]:
    """Give a write transaction that changes rights: one at a time, and seen by every watch."""
    with writing(gateway.database) as connection:
        # first of all, so that two changes never judge the same state, on PostgreSQL too
        connection.execute(update(AccessVersionRow).values(version=AccessVersionRow.version + 1))
        yield connection


class AccessWatch:
    """Watches the rights of one gateway; threads may share it."""

    def __init__(self, gateway: Gateway) -> None:
        """Watch a gateway; the connection opens with the first question."""
        self._engine = gateway.database
        self._failure: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        self._lock = Lock()
        self._connection: PoolProxiedConnection | None = None
        self._written: int | None = None
        self._version = 0

    def version(self) -> int:
        """Return a number that differs from an earlier one if rights changed in between.

        A decision made after this call may be kept under its answer, until `Actor.until`.

        Raises:
            StoreError: The database cannot be asked; nothing decided before may be relied on.
        """
        with self._lock:
            with suppress(DBAPIError, self._failure):
                return self._ask()
            self._close()  # the server may have been restarted: once more
            try:
                return self._ask()
            except (DBAPIError, self._failure) as error:
                self._close()
                raise StoreError(
                    f"the rights on {self._engine.url!r} cannot be checked: {error}; "
                    "check that its server runs and that this account may use it"
                ) from error

    def close(self) -> None:
        """Let go of the connection; the next question opens another."""
        with self._lock:
            self._close()

    def _ask(self) -> int:
        if self._connection is None:
            self._connection = self._open()
        cursor = self._connection.cursor()
        try:
            if self._engine.dialect.name == "sqlite":
                cursor.execute("PRAGMA data_version")
                written = int(cursor.fetchone()[0])  # type: ignore[index]  # always one row
                if written == self._written:
                    return self._version
                self._written = written
            cursor.execute(_SELECT)
            self._version = int(cursor.fetchone()[0])  # type: ignore[index]  # likewise
        finally:
            cursor.close()
        return self._version

    def _open(self) -> PoolProxiedConnection:
        connection = self._engine.raw_connection()
        connection.detach()
        if self._engine.dialect.name != "sqlite":
            connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]  # of psycopg
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._written = None, None
