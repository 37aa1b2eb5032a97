"""Brings a catalogue database to the tables of this version, and refuses one from a later."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from gateway.errors import StoreError

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6761746577617901
"""Key of the PostgreSQL advisory lock: one process migrates, the others wait."""


def upgrade_schema(connection: Connection) -> None:
    """Create or migrate the tables, inside the transaction of `connection`.

    Raises:
        StoreError: The database was made by a later version, or belongs to another program.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found == scripts.get_current_head():
        return
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
