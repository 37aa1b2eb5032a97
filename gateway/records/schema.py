"""Brings a catalogue database to the tables of this version, and refuses one from a later."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gateway.errors import StoreError

_MIGRATIONS = Path(__file__).parent / "migrations"
LATEST = "r0006"
"""The last migration: a database that says so is left as it is, and Alembic unloaded."""
FRESH_FILE = _MIGRATIONS / "fresh_sqlite.sql"
"""What the migrations make of an empty SQLite file; `write_fresh` beside it writes it anew."""
_VERSIONS = "alembic_version"
_MIGRATION_LOCK = 0x6761746577617901
"""Key of the PostgreSQL advisory lock: one process migrates, the others wait."""


def upgrade_schema(connection: Connection) -> None:
    """Create or migrate the tables, inside the transaction of `connection`.

    Raises:
        StoreError: The database was made by a later version, or belongs to another program.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    found = _revision(connection)
    if found is None and _is_empty_sqlite(connection):
        found = _create(connection)
    if found != LATEST:
        migrate(connection, found)


def _revision(connection: Connection) -> str | None:
    """Return the revision the database says it is of, or None where Alembic never was."""
    if not inspect(connection).has_table(_VERSIONS):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalar()  # noqa: S608 - a constant
    return found


def _is_empty_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite" and not inspect(connection).get_table_names()


def _create(connection: Connection) -> str | None:
    """Make all tables at once, a second before Alembic could; migrations since then follow."""
    for statement in FRESH_FILE.read_text(encoding="utf-8").split(";\n"):
        if statement:
            connection.exec_driver_sql(statement)
    return _revision(connection)


def migrate(connection: Connection, found: str | None) -> None:
    """Let Alembic run the migrations that a database of revision `found` lacks.

    Raises:
        StoreError: The database was made by a later version, or belongs to another program.
    """
    # 0.2 s that every command would pay, for what is done once in the life of a catalogue
    from alembic import command  # noqa: PLC0415 - as above
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the catalogue {connection.engine.url!r} is of schema {found!r}, which this version "
            f"of Brain Gateway does not know (its latest is {scripts.get_current_head()!r}): a "
            "later version made it; upgrade with `pip install --upgrade brain-gateway`, or point "
            "the setting catalogue elsewhere and run `gateway catalog rebuild`"
        )
    if found is None and (foreign := inspect(connection).get_table_names()):
        raise StoreError(
            f"the database {connection.engine.url!r} holds tables of another program "
            f"({', '.join(sorted(foreign)[:3])}); give the gateway a database of its own"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
