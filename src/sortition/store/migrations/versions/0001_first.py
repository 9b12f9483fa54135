"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
compatible_down_to = "0001"

# Written out, not taken from `schema.py`: a migration has to stay what it was when that file changes.
identity64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
time = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes every table."""
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_single")),
    )
    _subjects()
    _experiments()
    _aggregates()
    _records()


def _subjects() -> None:
    op.create_table(
        "subjects",
        sa.Column("id", identity64, nullable=False),
        sa.Column("organization", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("current", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
        sa.UniqueConstraint("organization", "kind", "name", name="uq_subjects_organization_kind_name"),
    )
    op.create_table(
        "subject_versions",
        sa.Column("subject_id", identity64, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("experiment", sa.String(128), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "number", name="pk_subject_versions"),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], name="fk_subject_versions_subject_id_subjects"),
    )
    op.create_table(
        "promotions",
        sa.Column("subject_id", identity64, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("from_number", sa.BigInteger),
        sa.Column("to_number", sa.BigInteger, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("undoes", sa.BigInteger),
        sa.Column("undone_by", sa.BigInteger),
        sa.PrimaryKeyConstraint("subject_id", "seq", name="pk_promotions"),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], name="fk_promotions_subject_id_subjects"),
    )


def _experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("organization", sa.String(128), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("subject_id", identity64, nullable=False),
        sa.Column("layer", sa.String(128), nullable=False, server_default="default"),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("started_at", time),
        sa.Column("ended_at", time),
        sa.Column("archived_at", time),
        sa.Column("winner", sa.String(128), nullable=False),
        sa.Column("shipped_version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], name="fk_experiments_subject_id_subjects"),
        sa.UniqueConstraint("organization", "key", name="uq_experiments_organization_key"),
    )
    op.create_index("ix_experiments_created_at_id", "experiments", ["created_at", "id"])
    op.create_index(
        "uq_experiments_running",
        "experiments",
        ["subject_id", "layer"],
        unique=True,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "variants",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("variant", sa.SmallInteger, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("basis_points", sa.Integer, nullable=False),
        sa.Column("control", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "variant", name="pk_variants"),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_variants_experiment_id_experiments"),
    )
    op.create_table(
        "allocations",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "generation", name="pk_allocations"),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_allocations_experiment_id_experiments"),
    )


def _aggregates() -> None:
    op.create_table(
        "exposures",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("unit_hash", sa.BigInteger, nullable=False),
        sa.Column("variant", sa.SmallInteger, nullable=False),
        sa.Column("bucket", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "unit_hash", name="pk_exposures"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cells",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("variant", sa.SmallInteger, nullable=False),
        sa.Column("metric", sa.SmallInteger, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
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
        sa.PrimaryKeyConstraint("experiment_id", "variant", "metric", "day", "slot", name="pk_cells"),
    )
    op.create_table(
        "writers",
        sa.Column("slot", identity64, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("high_water", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_writers"),
        sa.UniqueConstraint("name", name="uq_writers_name"),
    )


def _records() -> None:
    op.create_table(
        "decisions",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("winner", sa.String(128), nullable=False),
        sa.Column("should_ship", sa.Boolean, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "id", name="pk_decisions"),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_decisions_experiment_id_experiments"),
    )
    op.create_index("ix_decisions_id", "decisions", ["id"], unique=True)
    op.create_index("ix_decisions_experiment_id_at", "decisions", ["experiment_id", "at"])
    op.create_table(
        "audit",
        sa.Column("id", identity64, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("organization", sa.String(128), nullable=False),
        sa.Column("object", sa.String(512), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_organization_id", "audit", ["organization", "id"])
    op.create_index("ix_audit_object_id", "audit", ["object", "id"])
    op.create_index("ix_audit_action_id", "audit", ["action", "id"])


def downgrade() -> None:
    """Removes every table."""
    for name in ("audit", "decisions", "writers", "cells", "exposures", "allocations", "variants", "experiments"):
        op.drop_table(name)
    for name in ("promotions", "subject_versions", "subjects", "installation"):
        op.drop_table(name)
