"""Writes `fresh_sqlite.sql`; run it after adding a migration.

python -m gateway.records.migrations.write_fresh
"""

import sqlite3
import tempfile
from pathlib import Path

from sqlalchemy import create_engine

from gateway.records.schema import FRESH_FILE, migrate


def fresh_statements() -> str:
    """Return the statements that make what the migrations make of an empty SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalogue.sqlite"
        engine = create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            migrate(connection, None)
        engine.dispose()
        made = sqlite3.connect(file)
        try:
            statements = list(made.iterdump())
        finally:
            made.close()
    ours = (s for s in statements if s not in {"BEGIN TRANSACTION;", "COMMIT;"})
    return "".join(f"{_plain(statement)}\n" for statement in ours)


def _plain(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.splitlines())


if __name__ == "__main__":
    FRESH_FILE.write_text(fresh_statements(), encoding="utf-8")
