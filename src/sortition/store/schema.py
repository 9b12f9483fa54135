"""The tables, for SQLite and for PostgreSQL.

Every key of a table that grows with experiments leads with `experiment_id`, so that one experiment's rows lie together
and a distributed database can split by it. What is written here is what the migrations make; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from sortition.store.types import Identity64, JsonText, UtcDateTime

__all__ = [
    "DEFAULT_LAYER",
    "alert_deliveries",
    "alerts",
    "allocations",
    "audit",
    "cells",
    "decisions",
    "deviations",
    "experiments",
    "exposures",
    "installation",
    "leases",
    "metadata",
    "peeks",
    "promotions",
    "registrations",
    "reweightings",
    "segment_cells",
    "subject_versions",
    "subjects",
    "takeovers",
    "variants",
    "writers",
]

DEFAULT_LAYER = "default"
"""The layer of an experiment that names none; within a layer a subject has one running experiment."""

# Named by rule, so that a migration can name what it changes.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    # Hashes unit ids: whoever has it can test whether a unit is in the database. It never leaves the installation.
    Column("key", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # The oldest schema whose versions can use this one; read by versions that do not know this one.
    Column("compatible_down_to", String(32), nullable=False, server_default="0001"),
    CheckConstraint("id = 1", name="single"),
)

subjects = Table(
    "subjects",
    metadata,
    Column("id", Identity64, primary_key=True),
    Column("organization", String(128), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # The number of the current version.
    Column("current", BigInteger),
    UniqueConstraint("organization", "kind", "name"),
)

subject_versions = Table(
    "subject_versions",
    metadata,
    Column("subject_id", ForeignKey("subjects.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    # Canonical JSON: a rollback has to bring back every byte.
    Column("config", Text, nullable=False),
    Column("config_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("experiment", String(128), nullable=False),
    Column("note", Text, nullable=False),
)

# Only ever appended to, except for the mark `undone_by`: the way back is the way that was taken.
promotions = Table(
    "promotions",
    metadata,
    Column("subject_id", ForeignKey("subjects.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("from_number", BigInteger),
    Column("to_number", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    # The promotion that this one takes back, and the one that took this one back.
    Column("undoes", BigInteger),
    Column("undone_by", BigInteger),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("organization", String(128), nullable=False),
    Column("key", String(128), nullable=False),
    Column("subject_id", ForeignKey("subjects.id"), nullable=False),
    Column("layer", String(128), nullable=False, server_default=DEFAULT_LAYER),
    # As the first release knows it, for sidecars of an older version; all of it is in `declared`, where that is more.
    Column("spec", Text, nullable=False),
    Column("declared", Text),
    Column("status", String(16), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("archived_at", UtcDateTime),
    Column("winner", String(128), nullable=False),
    Column("shipped_version", BigInteger, nullable=False),
    # Which run of its series it is, and the id of the first one; null for that one itself.
    Column("run", Integer, nullable=False, server_default="1"),
    Column("first_run", String(64)),
    UniqueConstraint("organization", "key"),
    Index(None, "first_run", "run"),
    Index(None, "created_at", "id"),
    Index(
        "uq_experiments_running",
        "subject_id",
        "layer",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
)

# What the specification says, once more in columns, for people who query the database.
variants = Table(
    "variants",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id"), primary_key=True),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False),
    Column("basis_points", Integer, nullable=False),
    Column("control", Boolean, nullable=False),
)

allocations = Table(
    "allocations",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("ranges", JsonText, nullable=False),
)

# Every allocation but the first: announced here, and copied into `allocations` when it takes effect.
reweightings = Table(
    "reweightings",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("ranges", JsonText, nullable=False),
    # Which step of the experiment's ramp it is, counted from 0; null where somebody asked for it.
    Column("ramp_step", Integer),
    Column("announced_at", UtcDateTime, nullable=False),
    # Null while it is announced.
    Column("effective_at", UtcDateTime),
)

# Exposures and cells refer to experiments without a foreign key: a sidecar that still serves a snapshot of a database
# since restored from an older copy must be able to flush, or it could flush nothing ever again.
exposures = Table(
    "exposures",
    metadata,
    Column("experiment_id", String(64), primary_key=True),
    Column("unit_hash", BigInteger, primary_key=True, autoincrement=False),
    Column("variant", SmallInteger, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("day", Integer, nullable=False),
    # Whether the unit was seen in another variant as well; it belongs to none then, and is not counted.
    Column("crossed", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)


def _cell_content() -> list[Column[Any]]:
    """Returns what a cell holds, beside its key."""
    return [
        Column("n", BigInteger, nullable=False),
        Column("mean", Double, nullable=False),
        Column("m2", Double, nullable=False),
        Column("min", Double),
        Column("max", Double),
        Column("refused", BigInteger, nullable=False),
        Column("clamped", BigInteger, nullable=False),
        Column("late", BigInteger, nullable=False),
        Column("buckets", LargeBinary, nullable=False),
        Column("sketch", LargeBinary),
    ]


cells = Table(
    "cells",
    metadata,
    Column("experiment_id", String(64), primary_key=True),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False),
    Column("metric", SmallInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    # Each writer has rows of its own, so that writers never wait for each other.
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    *_cell_content(),
)

# The same for each level of the declared dimensions. Not by day: there may be dozens of levels, and nobody asks.
segment_cells = Table(
    "segment_cells",
    metadata,
    Column("experiment_id", String(64), primary_key=True),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False),
    Column("metric", SmallInteger, primary_key=True, autoincrement=False),
    # Counted from 1 through all dimensions in declared order, each dimension's "other" behind its own.
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    *_cell_content(),
)

writers = Table(
    "writers",
    metadata,
    Column("slot", Identity64, primary_key=True),
    Column("name", String(128), nullable=False),
    # Grows each time a sidecar takes the name; a smaller one is fenced off.
    Column("epoch", BigInteger, nullable=False),
    # The last batch that was applied.
    Column("high_water", BigInteger, nullable=False),
    UniqueConstraint("name"),
)

# Who took a writer's name, and which batch was the last one by then: so a sidecar that lost its name can tell whether a
# batch of its own whose fate it does not know was applied.
takeovers = Table(
    "takeovers",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("high_water", BigInteger, nullable=False),
    # The state directory of the sidecar that took it.
    Column("owner", String(64), nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id"), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("winner", String(128), nullable=False),
    Column("should_ship", Boolean, nullable=False),
    Column("result", JsonText, nullable=False),
    Column("inputs", JsonText, nullable=False),
    # What automatic mode did by it, and why; null for a decision that it did not take.
    Column("act", JsonText),
    Index(None, "id", unique=True),
    Index(None, "experiment_id", "at"),
)

# What was declared when an experiment was first started. Written once, in the transaction of the start.
registrations = Table(
    "registrations",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    # What makes `hash` of `document`, with its version.
    Column("algorithm", String(64), nullable=False),
    Column("hash", String(128), nullable=False),
    # Canonical JSON: the hash is over these very bytes.
    Column("document", Text, nullable=False),
)

# What was done by hand to a running experiment that its registration does not say.
deviations = Table(
    "deviations",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", JsonText, nullable=False),
)

# How often results were shown to somebody while an experiment ran: a row for a day, however often that was.
peeks = Table(
    "peeks",
    metadata,
    Column("experiment_id", String(64), primary_key=True),
    Column("policy", String(32), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    # Those of them that came before a look that may decide.
    Column("early", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

# Who does by itself what only one may do. Nobody's clock is in it: a holder has gone when its beat stands still.
leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    # Grows each time it changes hands; what is done under a smaller one is refused.
    Column("token", BigInteger, nullable=False),
    # Grows each time it is renewed.
    Column("beat", BigInteger, nullable=False),
)

# What somebody was told of, or will be if it lasts. A row for each time it began; without an experiment, a sidecar's.
alerts = Table(
    "alerts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("experiment_id", String(64), nullable=False),
    Column("rule", String(128), nullable=False),
    Column("metric", String(128), nullable=False),
    Column("variant", String(128), nullable=False),
    Column("organization", String(128), nullable=False),
    Column("experiment", String(128), nullable=False),
    Column("trigger", String(32), nullable=False),
    Column("severity", String(16), nullable=False),
    # "pending" until it has lasted as long as its rule says, then "active", then "resolved".
    Column("state", String(16), nullable=False),
    Column("value", Double),
    Column("bound", Double),
    Column("threshold", Double),
    Column("reason", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime),
    Column("over_since", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    # One question has one answer at a time, whoever asks.
    Index(
        "uq_alerts_unresolved",
        "experiment_id",
        "rule",
        "metric",
        "variant",
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index(None, "since", "id"),
)

# What has to be sent of alerts: written in the transaction of the transition, and kept until it was taken or given up.
alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    # The same for every attempt, so that whoever gets it twice can tell.
    Column("id", String(128), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("alert_id", ForeignKey("alerts.id"), nullable=False),
    # "waiting", "sent" or "given_up".
    Column("state", String(16), nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("done_at", UtcDateTime),
    Column("last_error", Text, nullable=False),
    Index(None, "state", "created_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Identity64, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("organization", String(128), nullable=False),
    Column("object", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", JsonText, nullable=False),
    Index(None, "organization", "id"),
    Index(None, "object", "id"),
    Index(None, "action", "id"),
)
