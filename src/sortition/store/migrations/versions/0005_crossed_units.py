"""Units that were seen in several variants are told apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
# The version before marks no unit: one that only it saw in a second variant counts in its first, as before.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("exposures", sa.Column("crossed", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Removes the column: such units count in their first variant again; needs SQLite 3.35 or later."""
    op.drop_column("exposures", "crossed")
