"""Annotation layers: objects by block, edits, decisions."""

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
