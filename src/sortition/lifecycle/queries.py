"""What can be asked about experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from sortition.analyzer.analyze import analyze
from sortition.analyzer.json import from_json
from sortition.analyzer.power import experiment_power
from sortition.analyzer.result import AnalysisResult, PowerResult, SeriesPoint
from sortition.analyzer.series import series
from sortition.errors import DataLoss, NotFound
from sortition.lifecycle.report import Report, report
from sortition.model import ExperimentStatus, SubjectRef
from sortition.store import cells, decisions
from sortition.store import experiments as rows
from sortition.store.database import Database
from sortition.store.records import ExperimentRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Queries", "require_experiment"]

_LIVE = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)


class Queries:
    """Reads experiments and what was recorded about them; changes nothing."""

    def __init__(self, db: Database, *, flush: Callable[[], None], now: Callable[[], datetime]) -> None:
        """Binds the questions to a database.

        Args:
            db: The database.
            flush: Brings everything recorded so far into the database, or raises; called before anything is analyzed.
            now: The clock; aware, in UTC.
        """
        self._db = db
        self._flush = flush
        self._now = now

    def get(self, organization: str, key: str) -> ExperimentRecord:
        """Returns an experiment.

        Raises:
            NotFound: There is none with this key.
        """
        with self._db.read() as tx:
            return require_experiment(tx, organization, key)

    def listing(
        self,
        *,
        organization: str | None = None,
        subject_kind: str | None = None,
        subject_id: str | None = None,
        statuses: Iterable[ExperimentStatus] = (),
        include_archived: bool = False,
        limit: int,
        after: str | None = None,
    ) -> tuple[list[ExperimentRecord], str]:
        """Returns a page of experiments, newest first, and the token of the next page ("" after the last).

        Args:
            organization: Only this one's; all when None.
            subject_kind: Only on subjects of this kind; all when None.
            subject_id: Only on subjects of this id; all when None.
            statuses: Only those in one of these; all when empty.
            include_archived: Archived ones too.
            limit: At most so many.
            after: The token of the page before.

        Raises:
            InvalidArgument: `after` was not handed out by this list.
        """
        with self._db.read() as tx:
            return rows.listing(
                tx,
                organization=organization,
                subject_kind=subject_kind,
                subject_id=subject_id,
                statuses=tuple(statuses),
                include_archived=include_archived,
                limit=limit,
                after=after,
            )

    def active(self, organization: str, ref: SubjectRef) -> ExperimentRecord | None:
        """Returns the running, else a paused experiment of a subject; None when there is neither."""
        with self._db.read() as tx:
            return next(iter(rows.active(tx, organization, ref)), None)

    def analyze(self, organization: str, key: str) -> AnalysisResult:
        """Returns the analysis of everything recorded so far; of a completed experiment, the one that decided it.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        with self._db.read() as tx:
            return self._analysis(tx, require_experiment(tx, organization, key), self._now())

    def status(self, organization: str, key: str) -> Report:
        """Returns where an experiment stands.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        now = self._now()
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            return report(record, self._analysis(tx, record, now), now)

    def statuses(
        self,
        *,
        organization: str | None = None,
        statuses: Iterable[ExperimentStatus] = (),
        limit: int,
        after: str | None = None,
    ) -> tuple[list[Report], str]:
        """Returns where a page of experiments stand, newest first, and the token of the next page.

        Args:
            organization: Only this one's; all when None.
            statuses: Only those in one of these; running and paused when empty.
            limit: At most so many.
            after: The token of the page before.

        Raises:
            InvalidArgument: `after` was not handed out by this list.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        now = self._now()
        with self._db.read() as tx:
            records, token = rows.listing(
                tx, organization=organization, statuses=tuple(statuses) or _LIVE, limit=limit, after=after
            )
            return [report(record, self._analysis(tx, record, now), now) for record in records], token

    def series(self, organization: str, key: str, metric: str | None = None) -> tuple[str, list[SeriesPoint]]:
        """Returns the name of a metric, and the metric by day and accumulated.

        Args:
            organization: Who owns the experiment.
            key: Its key.
            metric: The metric; the primary one when None or empty.

        Raises:
            NotFound: There is no such experiment or metric.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            if metric and record.spec.metric(metric) is None:
                names = ", ".join(known.name for known in record.spec.metrics)
                raise NotFound(f"experiment {key!r} has no metric {metric!r}; it has {names}")
            name = metric or record.spec.primary.name
            return name, series(record, cells.experiment_data(tx, record), name)

    def power(self, organization: str, key: str) -> PowerResult:
        """Returns how many units an experiment needs, its own data giving the baseline.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            return experiment_power(record, cells.experiment_data(tx, record), self._now())

    def _analysis(self, tx: Connection, record: ExperimentRecord, now: datetime) -> AnalysisResult:
        # A decision does not flip back because an outcome came late.
        if record.status is ExperimentStatus.COMPLETED:
            decision = decisions.latest(tx, record.id)
            if decision is None:
                raise DataLoss(f"experiment {record.spec.key!r} is completed and its decision is gone; restore a copy")
            return from_json(decision.result)
        return analyze(record, cells.experiment_data(tx, record), now)


def require_experiment(tx: Connection, organization: str, key: str) -> ExperimentRecord:
    """Returns an experiment.

    Raises:
        NotFound: There is none with this key.
    """
    record = rows.get(tx, organization, key)
    if record is None:
        raise NotFound(f"there is no experiment {key!r} in {organization!r}; list experiments to see the keys")
    return record
