"""What came of all experiments together: how many were won, and what shipping them has changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sortition.analyzer.result import AnalysisResult, Interval
from sortition.errors import ResourceExhausted
from sortition.lifecycle.endings import Ended, EndingKind, endings
from sortition.model import ExperimentStatus, Goal, MetricKind
from sortition.stats.distributions import critical
from sortition.stats.proportions import wilson
from sortition.stats.samples import Counts
from sortition.stats.total import Total
from sortition.store import experiments as rows
from sortition.store.database import Database
from sortition.store.records import ExperimentRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["CONFIDENCE", "Gain", "GainKey", "Summary", "Tally", "summarize"]

CONFIDENCE: Final = 0.95
"""Of all intervals of a summary."""
# More are no summary; and what is kept for each of them stays bounded.
_MAX_METRICS: Final = 1000
_PAGE: Final = 100


@dataclass(frozen=True, order=True)
class GainKey:
    """What gains are summed by: differences of other units or directions are no summands."""

    metric: str
    unit: str
    kind: MetricKind
    goal: Goal


@dataclass(frozen=True)
class Gain:
    """What shipped treatments have changed about one metric.

    Attributes:
        total: The sum of treatment - control.
        unknown: Shipped treatments without a stored difference or interval.
    """

    total: Total = field(default_factory=Total)
    unknown: int = 0

    def merge(self, other: Gain) -> Gain:
        """Returns both together."""
        return Gain(self.total.merge(other.total), self.unknown + other.unknown)


@dataclass(frozen=True)
class Tally:
    """What is counted. Tallies of parts merge to that of the whole, whatever the parts are.

    Attributes:
        statuses: Experiments that have not ended, by status.
        endings: Those that have, by how.
        won: Those that shipped their winner, and still do.
        archived: Those of all that are archived.
        gains: By metric.
    """

    statuses: Mapping[ExperimentStatus, int] = field(default_factory=Counter)
    endings: Mapping[EndingKind, int] = field(default_factory=Counter)
    won: int = 0
    archived: int = 0
    gains: Mapping[GainKey, Gain] = field(default_factory=dict)

    @classmethod
    def of(cls, record: ExperimentRecord, ended: Ended | None) -> Tally:
        """Returns the tally of one experiment."""
        archived = int(record.archived_at is not None)
        if ended is None:
            return cls(statuses=Counter([record.status]), archived=archived)
        ending, gains = ended.ending, {}
        won = False
        if ending.kind is EndingKind.SHIPPED and ended.result is not None:
            won = ending.variant == ended.result.winner
            primary = record.spec.primary
            key = GainKey(primary.name, primary.unit, primary.kind, primary.goal)
            gains[key] = _gain(ended.result, ending.variant)
        return cls(endings=Counter([ending.kind]), won=int(won), archived=archived, gains=gains)

    def merge(self, other: Tally) -> Tally:
        """Returns both together.

        Raises:
            ResourceExhausted: They have too many different metrics.
        """
        gains = dict(self.gains)
        for key, gain in other.gains.items():
            gains[key] = gains[key].merge(gain) if key in gains else gain
        if len(gains) > _MAX_METRICS:
            raise ResourceExhausted(
                f"the shipped experiments have more than {_MAX_METRICS} different primary metrics; name a subject, an"
                " organization or a later since"
            )
        return replace(
            self,
            statuses=Counter(self.statuses) + Counter(other.statuses),
            endings=Counter(self.endings) + Counter(other.endings),
            won=self.won + other.won,
            archived=self.archived + other.archived,
            gains=gains,
        )


@dataclass(frozen=True)
class Summary:
    """What came of many experiments together.

    Attributes:
        tally: What was counted.
        success_rate: Won over finished; NaN while none is finished.
        success_interval: Its score interval.
    """

    tally: Tally
    success_rate: float
    success_interval: Interval

    @classmethod
    def of(cls, tally: Tally) -> Summary:
        """Returns what a tally says."""
        done = finished(tally)
        if not done:
            return cls(tally, math.nan, Interval())
        score = wilson(Counts.of(tally.won, done), CONFIDENCE)
        return cls(tally, tally.won / done, Interval(float(score.lower), float(score.upper)))

    @property
    def finished(self) -> int:
        """Experiments that have a result."""
        return finished(self.tally)

    @property
    def gains(self) -> list[tuple[GainKey, Gain]]:
        """What shipping has changed, by metric; those with most experiments first."""
        return sorted(self.tally.gains.items(), key=lambda each: (-each[1].total.count - each[1].unknown, each[0]))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the reader has to know about the figures."""
        if not self.tally.gains:
            return ()
        found = [
            "Gains are estimates, and too high on average: treatments are shipped because they looked good, which luck"
            " helps (winner's curse). The intervals do not make up for that; a holdout would tell.",
            "Differences of several experiments are added as if they were independent and neither amplified nor"
            " replaced each other.",
        ]
        if unknown := sum(gain.unknown for gain in self.tally.gains.values()):
            found.append(f"{unknown} shipped without a stored interval of the difference: not in the sums.")
        return tuple(found)


def finished(tally: Tally) -> int:
    """Returns how many experiments have a result."""
    return sum(count for kind, count in tally.endings.items() if kind is not EndingKind.CANCELLED)


def tally_page(tx: Connection, records: Iterable[ExperimentRecord]) -> Tally:
    """Returns the tally of some experiments."""
    page = list(records)
    ended = endings(tx, page)
    tally = Tally()
    for record in page:
        tally = tally.merge(Tally.of(record, ended.get(record.id)))
    return tally


def summarize(
    db: Database,
    *,
    organization: str | None = None,
    subject_kind: str | None = None,
    subject_id: str | None = None,
    since: datetime | None = None,
    page: int = _PAGE,
) -> Summary:
    """Returns what came of all experiments together, archived ones too. Holds one page of them at a time.

    Args:
        db: The database.
        organization: Only this one's; all when None.
        subject_kind: Only on subjects of this kind; all when None.
        subject_id: Only on subjects of this id; all when None.
        since: Without those that had ended before; all when None.
        page: How many are read at a time.

    Raises:
        DataLoss: A completed experiment's decision is gone.
        ResourceExhausted: They have too many different metrics.
    """
    tally, after = Tally(), ""
    while True:
        with db.read() as tx:
            records, after = rows.listing(
                tx, organization=organization, subject_kind=subject_kind, subject_id=subject_id,
                include_archived=True, since=since, limit=page, after=after,
            )  # fmt: skip
            tally = tally.merge(tally_page(tx, records))
        if not after:
            return Summary.of(tally)


def _gain(result: AnalysisResult, variant: str) -> Gain:
    """Returns the stored difference of a shipped treatment, its interval brought to the summary's confidence."""
    found = next(
        (
            each
            for each in result.comparisons
            if each.variant == variant and each.metric == result.primary_metric and each.quantile is None
        ),
        None,
    )
    if found is None or not all(map(math.isfinite, (found.difference, *found.interval))):
        return Gain(unknown=1)
    lower, upper = found.interval
    if result.confidence != CONFIDENCE:
        scale = float(critical(CONFIDENCE, math.inf) / critical(result.confidence, math.inf))
        lower = found.difference - (found.difference - lower) * scale
        upper = found.difference + (upper - found.difference) * scale
    return Gain(Total().plus(found.difference, lower, upper))
