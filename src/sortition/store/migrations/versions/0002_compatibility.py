"""A database says which versions can use it, so that sidecars one version older go on beside newer ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("installation", sa.Column("compatible_down_to", sa.String(32), nullable=False, server_default="0001"))


def downgrade() -> None:
    """Removes the column; needs SQLite 3.35 or later."""
    op.drop_column("installation", "compatible_down_to")
