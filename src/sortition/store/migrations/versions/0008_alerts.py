"""Alerts are kept until they are resolved and after, and what is sent of them waits here until it was taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
# The version before alerts nobody.
compatible_down_to = "0001"


def upgrade() -> None:
    """Adds two tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(128), nullable=False),
        sa.Column("metric", sa.String(128), nullable=False),
        sa.Column("variant", sa.String(128), nullable=False),
        sa.Column("organization", sa.String(128), nullable=False),
        sa.Column("experiment", sa.String(128), nullable=False),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("bound", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("last_seen_at", moment, nullable=False),
        sa.Column("opened_at", moment),
        sa.Column("over_since", moment),
        sa.Column("resolved_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index(
        "uq_alerts_unresolved",
        "alerts",
        ["experiment_id", "rule", "metric", "variant"],
        unique=True,
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_index("ix_alerts_since_id", "alerts", ["since", "id"])
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("next_at", moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done_at", moment),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", "channel", name="pk_alert_deliveries"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_deliveries_alert_id_alerts"),
    )
    op.create_index("ix_alert_deliveries_state_created_at", "alert_deliveries", ["state", "created_at"])


def downgrade() -> None:
    """Removes both, and with them what was alerted and what was not sent yet."""
    op.drop_table("alert_deliveries")
    op.drop_table("alerts")
