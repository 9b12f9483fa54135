"""The schema: what the migrations make is what the code expects, on both kinds of database."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from sortition.store import Database, schema
from sortition.store.migrations import VERSION_TABLE
from sortition.store.upsert import insert_or_ignore, insert_or_mark, insert_or_replace

DIALECTS: dict[str, Dialect] = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]


def differences(db: Database, metadata: MetaData) -> list[object]:
    with db.read() as tx:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(tx, opts=options), metadata))


def test_migrations_make_the_schema(db: Database) -> None:
    assert differences(db, schema.metadata) == []


def test_the_comparison_sees_a_difference(db: Database) -> None:
    changed = MetaData()
    for table in schema.metadata.tables.values():
        table.to_metadata(changed)
    Table("extra", changed, Column("x", Integer, primary_key=True))
    changed.tables["cells"].append_column(Column("extra", Integer))
    assert len(differences(db, changed)) == 2


def test_constraints_that_alembic_does_not_compare_are_there(db: Database) -> None:
    with db.read() as tx:
        made = inspect(tx)
        for table in schema.metadata.tables.values():
            assert made.get_pk_constraint(table.name)["constrained_columns"] == table.primary_key.columns.keys()
            foreign = {constraint.name for constraint in table.foreign_key_constraints}
            assert {found["name"] for found in made.get_foreign_keys(table.name)} == foreign
        assert {table for table in ("cells", "exposures") if made.get_foreign_keys(table)} == set()
        (check,) = made.get_check_constraints("installation")
        assert check["sqltext"] == "id = 1"
        (running,) = [index for index in made.get_indexes("experiments") if index["name"] == "uq_experiments_running"]
        assert running["unique"]
        where = str(running["dialect_options"][f"{db.kind}_where"])
    assert "status" in where
    assert "'running'" in where


def test_exposures_lie_in_the_order_of_their_key(db: Database) -> None:
    if db.kind == "sqlite":
        with db.read() as tx:
            made: str = tx.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE name = 'exposures'").scalar_one()
        assert "WITHOUT ROWID" in made
    else:
        # PostgreSQL has no such tables.
        assert schema.exposures.dialect_options["sqlite"]["with_rowid"] is False


@pytest.mark.parametrize("name", ["variants", "allocations", "exposures", "cells", "segment_cells", "decisions"])
def test_keys_lead_with_the_experiment(name: str) -> None:
    assert schema.metadata.tables[name].primary_key.columns.keys()[0] == "experiment_id"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_table_can_be_written_down(dialect: str) -> None:
    tables = schema.metadata.sorted_tables
    statements = [str(CreateTable(table).compile(dialect=DIALECTS[dialect])) for table in tables]
    statements += [
        str(CreateIndex(index).compile(dialect=DIALECTS[dialect])) for table in tables for index in table.indexes
    ]
    assert len(statements) > 15
    text = "\n".join(statements)
    assert "WHERE status = 'running'" in text
    if dialect == "postgresql":
        assert "TIMESTAMP WITH TIME ZONE" in text
        assert "DOUBLE PRECISION" in text
        assert "BYTEA" in text
        assert "id BIGSERIAL" in text
        assert "unit_hash BIGINT NOT NULL" in text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_upserts_name_the_whole_key(dialect: str) -> None:
    ignore = str(insert_or_ignore(dialect, schema.exposures).compile(dialect=DIALECTS[dialect]))
    assert "ON CONFLICT (experiment_id, unit_hash) DO NOTHING" in ignore
    named = str(insert_or_ignore(dialect, schema.writers, key=["name"]).compile(dialect=DIALECTS[dialect]))
    assert "ON CONFLICT (name) DO NOTHING" in named
    marking = insert_or_mark(dialect, schema.exposures, "crossed", differing="variant")
    mark = str(marking.compile(dialect=DIALECTS[dialect]))
    assert "ON CONFLICT (experiment_id, unit_hash) DO UPDATE SET crossed =" in mark
    assert "WHERE exposures.variant != excluded.variant" in mark
    replace = str(insert_or_replace(dialect, schema.cells).compile(dialect=DIALECTS[dialect]))
    assert "ON CONFLICT (experiment_id, variant, metric, day, slot) DO UPDATE SET n = excluded.n" in replace
    for column in ("mean", "m2", "min", "max", "refused", "clamped", "late", "buckets", "sketch"):
        assert f"{column} = excluded.{column}" in replace
    assert "slot = excluded" not in replace
