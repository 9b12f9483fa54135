"""What can be asked about experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sortition.analyzer.distribution import distribution
from sortition.analyzer.plots import Distribution, PowerCurve
from sortition.analyzer.power import draft_power, experiment_power
from sortition.analyzer.power_curve import power_curve
from sortition.analyzer.result import AnalysisResult, PowerResult, SeriesPoint
from sortition.analyzer.series import series
from sortition.errors import NotFound
from sortition.lifecycle.change import Changes
from sortition.lifecycle.endings import endings
from sortition.lifecycle.full_report import FullReport, full_report
from sortition.lifecycle.looks import is_kept, keep, look
from sortition.lifecycle.peeks import Peeks
from sortition.lifecycle.registration import Registered, verify
from sortition.lifecycle.replay import Replay, replay
from sortition.lifecycle.report import Report, report
from sortition.lifecycle.summary import Summary, summarize
from sortition.model import DecisionPolicy, ExperimentSpec, ExperimentStatus, Metric, SubjectRef
from sortition.store import cells, decisions, registrations
from sortition.store import experiments as rows
from sortition.store.database import Database
from sortition.store.records import DecisionRecord, DeviationRecord, ExperimentData, ExperimentRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Queries", "require_experiment"]

_LIVE = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)
_BEGUN = (*_LIVE, ExperimentStatus.COMPLETED, ExperimentStatus.CANCELLED)
# So many experiments back a baseline is looked for; what is older says little about today.
_EARLIER = 20
# Deviations that are shown; each is an act of somebody, and in the audit log as well.
_DEVIATIONS = 100


class Queries:
    """Reads experiments and what was recorded about them; changes nothing, but keeps a decision that a look reaches.

    Attributes:
        peeks: Counts whenever results are shown to somebody.
    """

    def __init__(
        self, db: Database, *, flush: Callable[[], None], changes: Changes, now: Callable[[], datetime]
    ) -> None:
        """Binds the questions to a database.

        Args:
            db: The database.
            flush: Brings everything recorded so far into the database, or raises; called before anything is analyzed.
            changes: Makes the acts that keep decisions.
            now: The clock; aware, in UTC.
        """
        self._db = db
        self._flush = flush
        self._changes = changes
        self._now = now
        self.peeks = Peeks(db, now=now)

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

        A look that reaches a decision, and a planned one, is stored: from then on the decision does not flip back.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        now = self._now()
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            result = look(tx, record, now).result
        return self._shown(record, result)

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
            result = look(tx, record, now).result
        shown = self._shown(record, result)
        return self._with_the_rest(report(record, shown, now))

    def statuses(
        self,
        *,
        organization: str | None = None,
        subject_kind: str | None = None,
        subject_id: str | None = None,
        statuses: Iterable[ExperimentStatus] = (),
        since: datetime | None = None,
        limit: int,
        after: str | None = None,
    ) -> tuple[list[Report], str]:
        """Returns where a page of experiments stand, newest first, and the token of the next page.

        Those that are completed are told by their stored decisions.

        Args:
            organization: Only this one's; all when None.
            subject_kind: Only on subjects of this kind; all when None.
            subject_id: Only on subjects of this id; all when None.
            statuses: Only those in one of these; running and paused when empty.
            since: Without those that had ended before; all when None.
            limit: At most so many.
            after: The token of the page before.

        Raises:
            InvalidArgument: `after` was not handed out by this list.
            DataLoss: A completed experiment's decision is gone.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        now = self._now()
        with self._db.read() as tx:
            records, token = rows.listing(
                tx, organization=organization, subject_kind=subject_kind, subject_id=subject_id,
                statuses=tuple(statuses) or _LIVE, since=since, limit=limit, after=after,
            )  # fmt: skip
            ended = endings(tx, records)
            results = [
                each.result if (each := ended.get(record.id)) and each.result else look(tx, record, now).result
                for record in records
            ]
        reports = [
            replace(
                report(record, self._shown(record, result), now),
                ending=each.ending if (each := ended.get(record.id)) else None,
            )
            for record, result in zip(records, results, strict=True)
        ]
        return reports, token

    def summarize(
        self,
        *,
        organization: str | None = None,
        subject_kind: str | None = None,
        subject_id: str | None = None,
        since: datetime | None = None,
    ) -> Summary:
        """Returns what came of all experiments together, from what was stored when each ended; archived ones too.

        Args:
            organization: Only this one's; all when None.
            subject_kind: Only on subjects of this kind; all when None.
            subject_id: Only on subjects of this id; all when None.
            since: Without those that had ended before; all when None.

        Raises:
            DataLoss: A completed experiment's decision is gone.
            ResourceExhausted: They have too many different metrics.
        """
        return summarize(
            self._db, organization=organization, subject_kind=subject_kind, subject_id=subject_id, since=since
        )

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
            name = _metric(record, metric).name
            data = cells.experiment_data(tx, record)
            horizon = record.spec.decision.horizon
            self.peeks.count(record, early=horizon is not None and data.units.sum() < horizon)
            return name, series(record, data, name)

    def distribution(self, organization: str, key: str, metric: str | None = None) -> Distribution:
        """Returns how the outcomes of a metric are spread.

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
            return distribution(record, cells.experiment_data(tx, record), _metric(record, metric))

    def power(self, organization: str, key: str) -> PowerResult:
        """Returns how many units an experiment needs, its own data giving the baseline; a draft's, earlier experiments.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            return _power(tx, record, cells.experiment_data(tx, record), self._now())

    def power_curve(self, organization: str, key: str) -> PowerCurve:
        """Returns what more units would find.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            data = cells.experiment_data(tx, record)
            return power_curve(record.spec, _power(tx, record, data, self._now()), int(data.units.sum()))

    def full_report(self, organization: str, key: str) -> FullReport:
        """Returns everything that a report shows, of one moment. What this look reaches is stored, as by `analyze`.

        Raises:
            NotFound: There is no such experiment.
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        now = self._now()
        found, record = self._full_report(organization, key, now)
        self._peek(record, found.report.analysis)
        if is_kept(found.report.record, found.report.analysis):
            # With what was kept now, and again of one moment.
            keep(self._changes, record)
            found, _ = self._full_report(organization, key, now)
        return replace(found, report=self._with_the_rest(found.report))

    def _full_report(self, organization: str, key: str, now: datetime) -> tuple[FullReport, ExperimentRecord]:
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            taken = look(tx, record, now)
            data = taken.data or cells.experiment_data(tx, record)
            return full_report(record, data, taken.result, _power(tx, record, data, now), now), record

    def power_of(self, spec: ExperimentSpec) -> PowerResult:
        """Returns how many units an experiment needs that is not stored, earlier ones giving baseline and rate.

        Raises:
            Unavailable: What was recorded could not be flushed.
        """
        self._flush()
        with self._db.read() as tx:
            return draft_power(spec, _earlier(tx, spec), self._now())

    def decisions(self, organization: str, key: str) -> list[DecisionRecord]:
        """Returns the decisions about an experiment, newest first, without their inputs.

        Raises:
            NotFound: There is no such experiment.
        """
        with self._db.read() as tx:
            return decisions.heads(tx, require_experiment(tx, organization, key).id)[::-1]

    def replay(self, decision_id: str) -> Replay:
        """Computes a stored decision again from what is stored with it.

        Raises:
            NotFound: There is no such decision.
            DataLoss: What is stored with it is damaged.
        """
        with self._db.read() as tx:
            decision = decisions.get(tx, decision_id)
        if decision is None:
            raise NotFound(f"there is no decision {decision_id!r}; list an experiment's decisions to see their ids")
        return replay(decision)

    def registered(self, organization: str, key: str) -> Registered:
        """Returns what was registered when an experiment was started, and whether what is stored still says the same.

        Raises:
            NotFound: There is no such experiment.
        """
        with self._db.read() as tx:
            record = require_experiment(tx, organization, key)
            deviations, verified = _deviations(tx, record), verify(tx, record)
        return Registered(record, self.peeks.of(record), deviations, verified)

    def _shown(self, record: ExperimentRecord, result: AnalysisResult) -> AnalysisResult:
        """Stores what a look reached, and counts it; returns what it says."""
        self._peek(record, result)
        return keep(self._changes, record) if is_kept(record, result) else result

    def _peek(self, record: ExperimentRecord, result: AnalysisResult) -> None:
        """Counts a look that somebody asked for; a planned one, which is used up by it, is none."""
        valid = record.spec.decision.policy is DecisionPolicy.SEQUENTIAL
        if valid or not is_kept(record, result):
            self.peeks.count(record, early=result.provisional and not valid)

    def _with_the_rest(self, found: Report) -> Report:
        """Returns a report with how it ended, if it has, and what was done beside the registration: this look too."""
        record = found.record
        with self._db.read() as tx:
            ended, deviations = endings(tx, [record]).get(record.id), _deviations(tx, record)
        ending = found.ending if ended is None else ended.ending
        return replace(found, ending=ending, peeks=self.peeks.of(record), deviations=deviations)


def _deviations(tx: Connection, record: ExperimentRecord) -> tuple[DeviationRecord, ...]:
    return tuple(registrations.deviations_of(tx, record.id, _DEVIATIONS))


def _metric(record: ExperimentRecord, name: str | None) -> Metric:
    """Returns a metric of an experiment; the primary one without a name."""
    found = record.spec.metric(name) if name else record.spec.primary
    if found is None:
        names = ", ".join(known.name for known in record.spec.metrics)
        raise NotFound(f"experiment {record.spec.key!r} has no metric {name!r}; it has {names}")
    return found


def _power(tx: Connection, record: ExperimentRecord, data: ExperimentData, now: datetime) -> PowerResult:
    """Returns how many units an experiment needs; before it starts, earlier ones give the baseline."""
    if record.status is ExperimentStatus.DRAFT:
        return draft_power(record.spec, _earlier(tx, record.spec), now)
    return experiment_power(record, data, now)


def _earlier(tx: Connection, spec: ExperimentSpec) -> tuple[ExperimentRecord, ExperimentData] | None:
    """Returns the newest experiment on the same subject that has outcomes of the primary metric, with its data."""
    subject, metric = spec.subject, spec.primary
    records, _ = rows.listing(
        tx, organization=spec.organization, subject_kind=subject.kind, subject_id=subject.id,
        statuses=_BEGUN, include_archived=True, limit=_EARLIER, after=None,
    )  # fmt: skip
    for record in records:
        same = record.spec.metric(metric.name)
        if record.spec.key == spec.key or same is None or same.kind is not metric.kind:
            continue
        data = cells.experiment_data(tx, record)
        index = record.spec.metrics.index(same)
        if all((place, index) in data.cells for place in range(len(record.spec.variants))):
            return record, data
    return None


def require_experiment(tx: Connection, organization: str, key: str) -> ExperimentRecord:
    """Returns an experiment.

    Raises:
        NotFound: There is none with this key.
    """
    record = rows.get(tx, organization, key)
    if record is None:
        raise NotFound(f"there is no experiment {key!r} in {organization!r}; list experiments to see the keys")
    return record
