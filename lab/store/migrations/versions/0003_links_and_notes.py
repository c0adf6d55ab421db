"""Links to views of a study, and notes on studies and trials."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "links",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("study", sa.String(40), sa.ForeignKey("studies.id"), nullable=False, index=True),
        sa.Column("view", sa.JSON, nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("revoked_at", sa.String(40)),
    )
    op.create_table(
        "notes",
        sa.Column("study", sa.String(40), sa.ForeignKey("studies.id"), primary_key=True),
        sa.Column("trial", sa.String(60), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("updated_at", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("notes")
    op.drop_table("links")
