"""One file per change of the tables; Alembic runs those a database has not seen."""
