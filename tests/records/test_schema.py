"""Migrations lead to exactly the tables of the code, and no further."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from gateway.errors import StoreError
from gateway.records import (
    access_tables,
    annotation_tables,
    lease_tables,
    migrations,
    schema,
    work_tables,
)
from gateway.records.catalogue import open_catalogue
from gateway.records.database import open_database
from gateway.records.migrations.write_fresh import fresh_statements
from gateway.records.schema import FRESH_FILE, LATEST
from gateway.records.tables import Base

# imported so that their tables are known to Base
_TABLES = (access_tables, annotation_tables, lease_tables, work_tables)


def test_the_migrations_give_the_tables_of_the_code(catalogue_url: str) -> None:
    engine = open_database(catalogue_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_latest_revision_of_the_code_is_the_last_migration() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == LATEST


def test_a_new_catalogue_is_what_the_migrations_make() -> None:
    expected = FRESH_FILE.read_text(encoding="utf-8")
    again = "it is old: run `python -m gateway.records.migrations.write_fresh`"
    assert fresh_statements() == expected, again


def test_migrations_later_than_the_file_of_a_new_catalogue_follow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        scripts = Config()
        scripts.set_main_option("script_location", str(Path(migrations.__file__).parent))
        scripts.attributes["connection"] = connection
        command.upgrade(scripts, "r0004")
        raw: Any = connection.connection.driver_connection
        older = [s for s in raw.iterdump() if s not in {"BEGIN TRANSACTION;", "COMMIT;"}]
    engine.dispose()
    file = tmp_path / "older.sql"
    file.write_text("".join(f"{statement}\n" for statement in older))
    monkeypatch.setattr(schema, "FRESH_FILE", file)
    opened = open_database(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    opened.dispose()


def test_a_catalogue_that_is_new_or_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    script = (
        f"import sys; from gateway.records.database import open_database; open_database({url!r});"
        f"open_database({url!r}); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert done.stdout.strip() == b"False"


def test_a_catalogue_from_a_later_version_is_refused(catalogue_url: str) -> None:
    engine = open_database(catalogue_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"'r9999'.*a later version made it; upgrade with"):
        open_catalogue(catalogue_url)


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'galaxy.sqlite'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE history (id INTEGER)"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"tables of another program \(history\)"):
        open_catalogue(url)
