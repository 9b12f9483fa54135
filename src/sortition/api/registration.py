"""Registrations, runs and what was done beside them, as messages."""

from __future__ import annotations

from collections.abc import Iterable

from sortition.api.times import timestamp
from sortition.lifecycle.registration import stopping_rule_of
from sortition.model.wire import struct_from_config
from sortition.rpc.v1 import experiment_pb2
from sortition.store.records import DeviationRecord, ExperimentRecord, PeekRecord

__all__ = ["registration_to_proto", "run_to_proto"]


def run_to_proto(record: ExperimentRecord) -> experiment_pb2.Run | None:
    """Returns which run an experiment is; None where it is the only one."""
    run = record.run
    if not run.keys:
        return None
    previous = run.keys[run.number - 2] if run.number > 1 else ""
    return experiment_pb2.Run(number=run.number, of=run.of, previous=previous, first=run.keys[0])


def registration_to_proto(
    record: ExperimentRecord,
    peeks: PeekRecord | None = None,
    deviations: Iterable[DeviationRecord] = (),
    *,
    document: bool = False,
) -> experiment_pb2.Registration | None:
    """Returns what was registered; None where nothing was.

    Args:
        record: The experiment.
        peeks: How often results were shown; left out when None.
        deviations: What was done beside it.
        document: Whether the document comes with it, which weighs most.
    """
    found, decision = record.registration, record.spec.decision
    if found is None:
        return None
    horizon = decision.horizon
    return experiment_pb2.Registration(
        hash=found.hash,
        algorithm=found.algorithm,
        registered_at=timestamp(found.at),
        registered_by=found.actor,
        reason=found.reason,
        document=found.document if document else "",
        stopping_rule=stopping_rule_of(found),
        horizon=horizon or 0,
        looks_planned=len(decision.looks) or int(horizon is not None),
        peeks=None if peeks is None else _peeks(peeks),
        deviations=[_deviation(each) for each in deviations],
    )


def _peeks(peeks: PeekRecord) -> experiment_pb2.Peeks:
    return experiment_pb2.Peeks(
        count=peeks.count,
        early=peeks.early,
        days=len(peeks.days),
        first_at=timestamp(peeks.first_at),
        last_at=timestamp(peeks.last_at),
    )


def _deviation(found: DeviationRecord) -> experiment_pb2.Deviation:
    return experiment_pb2.Deviation(
        at=timestamp(found.at),
        actor=found.actor,
        kind=found.kind,
        reason=found.reason,
        details=struct_from_config(found.details),
    )
