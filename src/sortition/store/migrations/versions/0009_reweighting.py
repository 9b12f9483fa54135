"""The weights of a running experiment are changed: a new allocation is announced before it takes effect."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
# The version before sees an allocation once it is in effect, among the others; what is announced is here, where it does
# not look.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds a table."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "reweightings",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("generation", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.Column("ramp_step", sa.Integer),
        sa.Column("announced_at", moment, nullable=False),
        sa.Column("effective_at", moment),
        sa.PrimaryKeyConstraint("experiment_id", "generation", name="pk_reweightings"),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name="fk_reweightings_experiment_id_experiments"
        ),
    )


def downgrade() -> None:
    """Removes it: allocations stay, what was announced never takes effect."""
    op.drop_table("reweightings")
