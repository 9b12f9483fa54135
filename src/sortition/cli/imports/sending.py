"""Sends rows in numbered batches, so that neither a retry nor a second run counts anything twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import tenacity

from sortition.cli.imports.plan import Plan
from sortition.cli.imports.rows import BadRow, Left, Row
from sortition.cli.imports.survey import file_digest, variant_problem
from sortition.cli.session import Session
from sortition.errors import InvalidArgument, ResourceExhausted, SortitionError, Unavailable, Violation
from sortition.rpc.v1.experiment_pb2 import Experiment
from sortition.rpc.v1.recording_pb2 import Delivery, Observation, Outcome, RecordBatchRequest, RecordResponse

__all__ = ["GO_ON", "Sent", "client_id", "send"]

GO_ON = "the same command with --append, and without --create, goes on from there"
"""What to do about an import that was cut short."""

_BATCH_ROWS = 2000
_BATCH_BYTES = 1 << 20
# A sidecar that restarts, or writes its exposures away to make room, is back before that.
_PATIENCE_S = 60
_OUTCOME = re.compile(r"^(?:\w+\.)?outcomes\[(\d+)\]")


@dataclass
class Sent:
    """What became of the rows.

    Attributes:
        outcomes: Outcomes that were sent.
        observations: Observations that were counted now.
        duplicates: Outcomes that had been counted before.
        late: Observations not counted because the experiment was over.
        ignored: Observations not counted because the experiment was paused.
        clamped: Observations counted after being moved to a cap.
    """

    outcomes: int = 0
    observations: int = 0
    duplicates: int = 0
    late: int = 0
    ignored: int = 0
    clamped: int = 0

    def add(self, outcomes: int, answer: RecordResponse) -> None:
        """Adds the answer to one batch."""
        self.outcomes += outcomes
        self.observations += answer.accepted
        self.duplicates += outcomes if answer.duplicate else 0
        self.late += answer.late
        self.ignored += answer.ignored
        self.clamped += answer.clamped


def client_id(experiment: Experiment, plan: Plan) -> bytes:
    """Returns the same 16 bytes for the same file read in the same way into the same experiment.

    With them, batches that this sidecar has counted are duplicates when they come again.
    """
    how = json.dumps([experiment.id, plan.identity(), _BATCH_ROWS, _BATCH_BYTES], sort_keys=True)
    return hashlib.sha256(file_digest(plan.path) + how.encode()).digest()[:16]


def send(
    session: Session,
    experiment: Experiment,
    plan: Plan,
    rows: Iterable[Row | BadRow | Left],
    progress: Callable[[int], None],
) -> Sent:
    """Sends all good rows, one batch after the other.

    Args:
        session: The connection.
        experiment: Where to.
        plan: How the rows were read.
        rows: The rows.
        progress: Told after each batch how many rows it held.

    Raises:
        SortitionError: A batch was refused, or the sidecar stayed away; says how many rows had been counted before.
    """
    client = client_id(experiment, plan)
    record = session.recording.RecordBatch
    patient = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
        stop=tenacity.stop_after_delay(_PATIENCE_S),
        reraise=True,
    )
    sent = Sent()
    for seq, batch in enumerate(_batches(experiment, plan, rows), start=1):
        # One batch is under way at a time, so all earlier ones are settled.
        delivery = Delivery(client=client, seq=seq, oldest_pending=seq)
        request = RecordBatchRequest(outcomes=(outcome for _, outcome in batch), delivery=delivery)
        try:
            sent.add(len(batch), patient(session.call, record, request))
        except SortitionError as error:
            raise _explained(error, [line for line, _ in batch], sent) from None
        progress(len(batch))
    return sent


def _passes(error: BaseException) -> bool:
    """Returns whether the same call may succeed later."""
    return isinstance(error, Unavailable) or (isinstance(error, ResourceExhausted) and not error.violations)


def _batches(
    experiment: Experiment, plan: Plan, rows: Iterable[Row | BadRow | Left]
) -> Iterator[list[tuple[int, Outcome]]]:
    """Yields the good rows in batches that are the same every time."""
    known = {variant.name for variant in experiment.spec.variants}
    seen: dict[bytes, str] = {}
    batch: list[tuple[int, Outcome]] = []
    size = 0
    for row in rows:
        if not isinstance(row, Row) or variant_problem(plan, row, known, seen):
            continue
        outcome = _outcome(experiment, plan, row)
        length = outcome.ByteSize()
        if batch and (len(batch) == _BATCH_ROWS or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((row.line, outcome))
        size += length
    if batch:
        yield batch


def _outcome(experiment: Experiment, plan: Plan, row: Row) -> Outcome:
    return Outcome(
        experiment=experiment.spec.key,
        organization=experiment.spec.organization,
        unit=row.unit,
        variant=row.variant,
        occurred_at_ms=row.occurred_at_ms,
        observations=(
            Observation(metric=metric.metric, number=value, denominator=below)
            for metric, value, below in zip(plan.metrics, row.values, row.denominators, strict=True)
            if value is not None
        ),
    )


def _explained(error: SortitionError, lines: list[int], sent: Sent) -> SortitionError:
    """Returns the error with lines of the file in place of places in a batch, and with what had been done before."""
    before = (
        f"; {sent.outcomes} rows before line {lines[0]} are imported" if sent.outcomes else "; nothing was imported"
    )
    kind: Any = type(error)
    if not isinstance(error, InvalidArgument) or not error.violations:
        again = f", and {GO_ON}" if sent.outcomes else ""
        return kind(f"{error.message}{before}{again}")  # type: ignore[no-any-return]
    return InvalidArgument(
        f"the sidecar refused rows{before}", [_at_line(violation, lines) for violation in error.violations]
    )


def _at_line(violation: Violation, lines: list[int]) -> Violation:
    found = _OUTCOME.match(violation.field)
    if not found or int(found[1]) >= len(lines):
        return violation
    return Violation(f"line {lines[int(found[1])]}{violation.field[found.end() :]}", violation.description)
