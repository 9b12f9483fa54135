"""Sidecars that are given one name are told apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
# The version before writes no row here. A sidecar that loses its name to such a one does not go on, but says so.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "takeovers",
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("high_water", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("slot", "epoch", name="pk_takeovers"),
    )


def downgrade() -> None:
    """Removes it: no sidecar that was given another one's name can go on any more."""
    op.drop_table("takeovers")
