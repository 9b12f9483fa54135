"""Looks at experiments, and what stays of them: planned looks are counted, and a decision that was reached is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sortition.analyzer.analyze import analyze
from sortition.analyzer.history import History
from sortition.analyzer.json import from_json
from sortition.analyzer.result import AnalysisResult, ReachedDecision, RecommendationKind
from sortition.errors import DataLoss
from sortition.lifecycle.actor import Actor
from sortition.lifecycle.change import Changes, experiment_object
from sortition.lifecycle.decision import COMPLETED, LOOK, REACHED, decide
from sortition.model import DecisionPolicy, ExperimentStatus
from sortition.store import cells, decisions
from sortition.store import experiments as rows
from sortition.store.records import DecisionRecord, ExperimentData, ExperimentRecord

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = ["Taken", "history_of", "is_kept", "keep", "look"]

_OPEN: Final = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)
_UNDECIDED: Final = (RecommendationKind.NEED_MORE_DATA, RecommendationKind.INVALID)
# Nobody decides: the policy that was declared does.
_ACTOR: Final = Actor("sortition", "the declared policy has reached it")


@dataclass(frozen=True)
class Taken:
    """A look.

    Attributes:
        result: What it says.
        data: What it was taken at; None for a completed experiment, whose result is the stored one.
        history: What came before.
    """

    result: AnalysisResult
    data: ExperimentData | None
    history: History

    def decision(self, record: ExperimentRecord, kind: str) -> DecisionRecord:
        """Returns the decision that the look stands for."""
        assert self.data is not None
        return decide(record, self.data, self.result, self.history, kind)


def history_of(tx: Connection, experiment_id: str) -> History:
    """Returns what has to be known before an experiment is looked at again."""
    found = [head for head in decisions.heads(tx, experiment_id) if head.kind in (LOOK, REACHED)]
    if not found:
        return History()
    reached = next((head for head in found if head.kind == REACHED), None)
    return History(
        looks=tuple(one for one in from_json(found[-1].result).looks if one.units),
        reached=None if reached is None else _reached(reached, from_json(reached.result)),
    )


def look(tx: Connection, record: ExperimentRecord, now: datetime) -> Taken:
    """Looks at an experiment; at a completed one by its stored result.

    Raises:
        DataLoss: A completed experiment's decision is gone.
    """
    # A decision does not flip back because an outcome came late.
    if record.status is ExperimentStatus.COMPLETED:
        decision = decisions.latest(tx, record.id, COMPLETED)
        if decision is None:
            raise DataLoss(f"experiment {record.spec.key!r} is completed and its decision is gone; restore a copy")
        return Taken(from_json(decision.result), None, History())
    history = history_of(tx, record.id)
    data = cells.experiment_data(tx, record)
    return Taken(analyze(record, data, now, history), data, history)


def is_kept(record: ExperimentRecord, result: AnalysisResult) -> bool:
    """Returns whether a look has to be stored: it reaches a decision, or is a planned one that has used up its part."""
    # The experiment's own status: a stored result still has that of when it was decided.
    if record.status not in _OPEN or result.reached is not None:
        return False
    planned = result.policy is DecisionPolicy.GROUP_SEQUENTIAL and not result.provisional
    return result.settled or (planned and result.recommendation_kind not in _UNDECIDED)


def keep(changes: Changes, record: ExperimentRecord) -> AnalysisResult:
    """Takes a look whose result is stored in the same act; returns what it says.

    Somebody else may have looked meanwhile: what they kept is what counts.
    """
    with changes.begin(_ACTOR) as change:
        fresh = rows.get(change.tx, record.spec.organization, record.spec.key) or record
        taken = look(change.tx, fresh, change.at)
        if not is_kept(fresh, taken.result):
            return taken.result
        decision = taken.decision(fresh, REACHED if taken.result.settled else LOOK)
        decisions.insert(change.tx, decision)
        change.log(
            f"experiment.{decision.kind}",
            fresh.spec.organization,
            experiment_object(fresh.spec.key),
            {"decision_id": decision.id, "winner": decision.winner, "units": taken.result.units},
        )
    return replace(taken.result, reached=_reached(decision, taken.result)) if taken.result.settled else taken.result


def _reached(decision: DecisionRecord, result: AnalysisResult) -> ReachedDecision:
    return ReachedDecision(
        id=decision.id,
        at=decision.at,
        units=result.units,
        kind=result.recommendation_kind,
        winner=result.winner,
        recommendation=result.recommendation,
    )
