"""Migrations lead to exactly the tables of the code, and no further."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from gateway.errors import StoreError
from gateway.records import (
    access_tables,
    annotation_tables,
    lease_tables,
    migrations,
    work_tables,
)
from gateway.records.catalogue import open_catalogue
from gateway.records.database import open_database
from gateway.records.schema import LATEST
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


def test_a_catalogue_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    open_database(url).dispose()
    script = (
        f"import sys; from gateway.records.database import open_database; open_database({url!r});"
        "print('alembic' in sys.modules)"
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
