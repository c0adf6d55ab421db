"""The curves of trainings that run."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "curves",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("technique", sa.String(100), nullable=False),
        sa.Column("phases", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("curves")
