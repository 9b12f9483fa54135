"""Experiments are decided by themselves: one sidecar at a time does it, and what it does is kept with its reasons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
# The version before takes no lease and acts on nothing by itself; its own decisions have no reasons to keep.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds a table and a column."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.add_column("decisions", sa.Column("act", sa.Text))


def downgrade() -> None:
    """Removes both: decisions stay, why they were taken by themselves does not; needs SQLite 3.35 or later."""
    op.drop_column("decisions", "act")
    op.drop_table("leases")
