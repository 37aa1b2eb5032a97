"""Run by Alembic: brings the database of the connection it is handed to this version's tables."""

from alembic import context

from gateway.records import access_tables, annotation_tables, lease_tables, work_tables
from gateway.records.tables import Base

# imported so that their tables are known to Base
_ = (access_tables, annotation_tables, lease_tables, work_tables)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
context.run_migrations()
