"""Opens the database behind the catalogue, SQLite or PostgreSQL, and words its failures."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.errors import SettingsError, StoreError
from gateway.records.schema import upgrade_schema
from gateway.records.turns import Turns, turns_of

_WRITES, _TURNS = "gateway_writes", "gateway_turns"
_CONNECT_S = 10


def open_database(text: str, *, wait_s: float = 30.0) -> Engine:
    """Open the database at a URL and bring its tables to this version.

    Args:
        text: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        wait_s: How long a write waits for another process's write.

    Raises:
        SettingsError: The URL is malformed or of another kind of database.
        StoreError: The database cannot be reached or written, or a later version made it.
    """
    url = _parse_url(text)
    engine = _open_sqlite(url, wait_s) if _is_sqlite(url) else _open_postgres(url, wait_s)
    try:
        with writing(engine) as connection:
            upgrade_schema(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside a read transaction; failures come as `StoreError`."""
    with _worded(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside a write transaction, committed when the block ends well."""
    options = engine.execution_options(**{_WRITES: True})
    turns: Turns | None = engine.get_execution_options().get(_TURNS)
    # in line before a connection is taken: readers must find one
    with _worded(engine), turns.turn() if turns else nullcontext(), options.begin() as connection:
        yield connection


def _parse_url(text: str) -> URL:
    expected = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError(f"the catalogue setting is not a database URL; {expected}") from error
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise SettingsError(f"the catalogue {url!r} is of kind {backend!r}; {expected}")
    return url


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _open_sqlite(url: URL, wait_s: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": wait_s})
    engine.update_execution_options(**{_TURNS: turns_of(str(url.database))})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # sqlite3 would begin transactions by itself, too late and never for DDL
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a read that turns into a write cannot wait for another writer, hence IMMEDIATE
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgres(url: URL, wait_s: float) -> Engine:
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_S,
        "options": f"-c lock_timeout={int(wait_s * 1000)}",
    }
    try:
        return create_engine(url, connect_args=options, pool_pre_ping=True)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise SettingsError(
            f"the catalogue {url!r} needs the PostgreSQL driver; "
            "install it with `pip install brain-gateway[postgres]`"
        ) from error


@contextmanager
def _worded(engine: Engine) -> Iterator[None]:
    """Turn what the driver raises into one sentence a user can act on."""
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no reason"
        raise StoreError(
            f"the catalogue {engine.url!r} failed: {reason}; {_way_out(reason)}"
        ) from error


def _way_out(reason: str) -> str:
    for sign, advice in _ADVICE:
        if sign in reason:
            return advice
    return "check that its server runs and that this account may use it"


_ADVICE = (
    ("database is locked", "another process is writing to it; try again when it is done"),
    ("lock timeout", "another process is writing to it; try again when it is done"),
    ("not a database", "the file is damaged: move it away and run `gateway catalog rebuild`"),
    ("malformed", "the file is damaged: move it away and run `gateway catalog rebuild`"),
    ("disk I/O error", "look at the disk, then run `gateway catalog rebuild` on a fresh file"),
    ("readonly", "make the file and its folder writable for this account"),
    ("unable to open", "check that its folder exists and is writable for this account"),
    ("disk is full", "free some space; the records of this run can be rebuilt from the store"),
    ("password authentication", "check user and password in the setting catalogue"),
    ("does not exist", "create that database or user, or correct the setting catalogue"),
)
