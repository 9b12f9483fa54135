"""What is declared is registered at the start; peeks and deviations are kept beside it, and runs follow one another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
# What the version before starts is not registered, and is said not to be; it counts no peeks and knows no second runs.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds three tables, and two columns with an index."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "registrations",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("algorithm", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(128), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", name="pk_registrations"),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name="fk_registrations_experiment_id_experiments"
        ),
    )
    op.create_table(
        "deviations",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "number", name="pk_deviations"),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_deviations_experiment_id_experiments"),
    )
    op.create_table(
        "peeks",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(32), nullable=False),
        sa.Column("day", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("early", sa.BigInteger, nullable=False),
        sa.Column("first_at", moment, nullable=False),
        sa.Column("last_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "policy", "day", name="pk_peeks"),
    )
    op.add_column("experiments", sa.Column("run", sa.Integer, nullable=False, server_default="1"))
    op.add_column("experiments", sa.Column("first_run", sa.String(64)))
    op.create_index("ix_experiments_first_run_run", "experiments", ["first_run", "run"])


def downgrade() -> None:
    """Removes them: second runs stay as experiments of their own; needs SQLite 3.35 or later."""
    op.drop_index("ix_experiments_first_run_run", "experiments")
    op.drop_column("experiments", "first_run")
    op.drop_column("experiments", "run")
    for table in ("peeks", "deviations", "registrations"):
        op.drop_table(table)
