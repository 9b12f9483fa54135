"""The database: schema and migrations, what people declared, what was measured, what was decided.

Everything is a function of an open transaction, so that whoever changes several things changes all of them or none.
"""

from __future__ import annotations

from sortition.store import audit, cells, compaction, decisions, experiments, installation, leases, subjects
from sortition.store.database import Database
from sortition.store.records import (
    AllocationRecord,
    AuditEvent,
    DecisionRecord,
    ExperimentData,
    ExperimentRecord,
    SubjectRecord,
    VersionRecord,
)
from sortition.store.sqlite import sqlite_url
from sortition.store.writer import BatchWriter

__all__ = [
    "AllocationRecord",
    "AuditEvent",
    "BatchWriter",
    "Database",
    "DecisionRecord",
    "ExperimentData",
    "ExperimentRecord",
    "SubjectRecord",
    "VersionRecord",
    "audit",
    "cells",
    "compaction",
    "decisions",
    "experiments",
    "installation",
    "leases",
    "sqlite_url",
    "subjects",
]
