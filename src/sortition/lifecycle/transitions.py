"""The steps between the statuses of an experiment."""

from __future__ import annotations

from sortition.errors import IllegalTransition
from sortition.model import TRANSITIONS, ExperimentStatus
from sortition.store.records import ExperimentRecord

__all__ = ["check_archivable", "check_transition"]

ENDED = (ExperimentStatus.COMPLETED, ExperimentStatus.CANCELLED)


def check_transition(
    record: ExperimentRecord, to: ExperimentStatus, *, only_from: ExperimentStatus | None = None
) -> None:
    """Checks that an experiment can step to a status.

    Args:
        record: The experiment.
        to: The status wanted.
        only_from: The only status that this step leads from, where it is narrower than the status alone.

    Raises:
        IllegalTransition: It cannot; names both statuses and the steps that are allowed.
    """
    if to not in TRANSITIONS[record.status] or (only_from is not None and record.status is not only_from):
        raise IllegalTransition(
            f"experiment {record.spec.key!r} is {record.status} and cannot become {to} by this step; {_allowed(record)}"
        )


def check_archivable(record: ExperimentRecord) -> None:
    """Checks that an experiment can be archived.

    Raises:
        IllegalTransition: It is not over, or is archived already.
    """
    if record.archived_at is not None or record.status not in ENDED:
        raise IllegalTransition(
            f"experiment {record.spec.key!r} is {_standing(record)} and cannot be archived; {_allowed(record)}"
        )


def _standing(record: ExperimentRecord) -> str:
    return "archived" if record.archived_at is not None else str(record.status)


def _allowed(record: ExperimentRecord) -> str:
    # In the order of a life, so that the sentence is the same every time.
    steps = [status.value for status in ExperimentStatus if status in TRANSITIONS[record.status]]
    if steps:
        return f"from {_standing(record)} it can become {' or '.join(filter(None, [', '.join(steps[:-1]), steps[-1]]))}"
    archivable = record.status in ENDED and record.archived_at is None
    return f"from {_standing(record)} it can {'only be archived' if archivable else 'go nowhere'}"
