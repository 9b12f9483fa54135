"""State directories whose database has many running experiments."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from sortition.model import ExperimentSpec, ExperimentStatus, validate
from sortition.store import Database, ExperimentRecord, installation, sqlite_url, subjects
from sortition.store import experiments as rows
from sortition.store.records import AllocationRecord

__all__ = ["id_of", "key_of", "metric_of", "stock"]


def id_of(number: int) -> str:
    return f"id-{number}"


def key_of(number: int) -> str:
    return f"experiment-{number}"


def metric_of(number: int) -> str:
    return f"metric-{number}"


def stock(state: Path, *, experiments: int, metrics: int = 3) -> None:
    """Makes a state directory with running experiments: `key_of` each number, an even split of two variants.

    They are stored as starting them would have, but in one transaction.
    """
    state.mkdir(mode=0o700, parents=True)
    now = datetime.now(timezone.utc)
    db = Database.open(sqlite_url(state / "sortition.db"))
    with db.write() as tx:
        for number in range(experiments):
            spec = _spec(number, metrics)
            subjects.insert(tx, spec.organization, spec.subject, "", now)
            record = ExperimentRecord(
                id=id_of(number),
                spec=spec,
                status=ExperimentStatus.RUNNING,
                revision=1,
                created_at=now,
                started_at=now,
                allocations=(AllocationRecord(1, ((5_000, 0), (10_000, 1))),),
            )
            rows.insert(tx, record)
        installation.touch(tx)
    db.close()


def _spec(number: int, metrics: int) -> ExperimentSpec:
    return validate(
        ExperimentSpec,
        {
            "key": key_of(number),
            "subject": {"kind": "agent", "id": f"agent-{number}"},
            "metrics": [
                {
                    "name": metric_of(index),
                    "kind": "continuous",
                    "goal": "minimize",
                    "role": "secondary" if index else "primary",
                }
                for index in range(metrics)
            ],
            "variants": [
                {"name": "control", "weight": 50, "control": True, "config": {"strategy": "one"}},
                {"name": "treatment", "weight": 50, "config": {"strategy": "two"}},
            ],
        },
    )
