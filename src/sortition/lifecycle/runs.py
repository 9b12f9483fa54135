"""Runs of the same question: each an experiment of its own, with assignments and data of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortition.errors import FailedPrecondition, InvalidArgument, Violation
from sortition.lifecycle.validation import refuse
from sortition.model import ExperimentSpec, ExperimentStatus
from sortition.model.names import KEY_BYTES
from sortition.store import experiments as rows
from sortition.store.records import ExperimentRecord, RunRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["next_run"]


def next_run(tx: Connection, record: ExperimentRecord, spec: ExperimentSpec) -> tuple[ExperimentSpec, RunRecord]:
    """Returns what the run after all that there are declares, and which it is.

    Args:
        tx: The transaction that stores it.
        record: Any run so far.
        spec: What it is to declare; the key of a run there is already stands for the next free one.

    Raises:
        InvalidArgument: It is about something else, or its key would be too long.
        FailedPrecondition: The named run, or the newest one, is still a draft.
    """
    keys = record.run.keys or (record.spec.key,)
    newest = rows.get(tx, record.spec.organization, keys[-1]) or record
    for run in (record, newest):
        if run.status is ExperimentStatus.DRAFT:
            raise FailedPrecondition(
                f"experiment {run.spec.key!r} is a draft, which can still be changed; update, start or cancel it before"
                " another run is opened"
            )
    refuse(
        Violation(field, f"is {new}, and the other runs have {old}; create an experiment of its own for that")
        for field, old, new in (
            ("organization", record.spec.organization, spec.organization),
            ("subject", record.spec.subject, spec.subject),
        )
        if old != new
    )
    number = len(keys) + 1
    if spec.key in keys:
        spec = spec.model_copy(update={"key": _free_key(tx, spec.organization, keys[0], number)})
    first_id = record.run.first_id or record.id
    return spec, RunRecord(number, number, first_id, (*keys, spec.key))


def _free_key(tx: Connection, organization: str, first: str, number: int) -> str:
    key = f"{first}.run{number}"
    if len(key) > KEY_BYTES:
        raise InvalidArgument.of(
            [("key", f"would be {key!r}, {len(key)} bytes; the limit is {KEY_BYTES}: give a key of its own")]
        )
    if rows.get(tx, organization, key) is not None:
        raise InvalidArgument.of([("key", f"would be {key!r}, which is taken; give a key of its own")])
    return key
