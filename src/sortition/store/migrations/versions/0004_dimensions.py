"""Outcomes are broken down by the dimensions that an experiment declares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
# The version before goes on without: it counts for everyone alone, and what it reads of an experiment says nothing new.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds a table and a column."""
    op.create_table(
        "segment_cells",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("variant", sa.SmallInteger, nullable=False),
        sa.Column("metric", sa.SmallInteger, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("mean", sa.Double, nullable=False),
        sa.Column("m2", sa.Double, nullable=False),
        sa.Column("min", sa.Double),
        sa.Column("max", sa.Double),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("clamped", sa.BigInteger, nullable=False),
        sa.Column("late", sa.BigInteger, nullable=False),
        sa.Column("buckets", sa.LargeBinary, nullable=False),
        sa.Column("sketch", sa.LargeBinary),
        sa.PrimaryKeyConstraint("experiment_id", "variant", "metric", "level", "slot", name="pk_segment_cells"),
    )
    op.add_column("experiments", sa.Column("declared", sa.Text))


def downgrade() -> None:
    """Removes both: what is counted by level is lost, and with it that there were dimensions."""
    op.drop_column("experiments", "declared")
    op.drop_table("segment_cells")
