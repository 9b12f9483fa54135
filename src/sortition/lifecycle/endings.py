"""How experiments ended, from what was stored when they did; nothing is computed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from sortition.analyzer.json import from_json
from sortition.analyzer.result import AnalysisResult
from sortition.errors import DataLoss
from sortition.lifecycle.change import experiment_object
from sortition.lifecycle.decision import COMPLETED
from sortition.model import ExperimentStatus, JsonObject
from sortition.store import endings as rows
from sortition.store.records import DecisionRecord, ExperimentRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Ended", "Ending", "EndingKind", "endings"]

_COMPLETE: Final = "experiment.complete"


class EndingKind(str, Enum):
    """How an experiment ended. Meanings as in the enum EndingKind."""

    SHIPPED = "shipped"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"
    NOT_SHIPPED = "not_shipped"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Ending:
    """How an experiment ended, and by whom. Fields as in the message Ending."""

    kind: EndingKind
    automatic: bool = False
    variant: str = ""
    forced: bool = False
    taken_back: bool = False
    reasons: tuple[str, ...] = ()
    decision_id: str = ""


@dataclass(frozen=True)
class Ended:
    """An experiment that is over.

    Attributes:
        ending: How it ended.
        result: The analysis that it was decided on, as stored; None for a cancelled one.
    """

    ending: Ending
    result: AnalysisResult | None = None


def endings(tx: Connection, records: Sequence[ExperimentRecord]) -> dict[str, Ended]:
    """Returns how those of `records` that are over ended, by their ids.

    Raises:
        DataLoss: A completed experiment's decision is gone.
    """
    completed = [record for record in records if record.status is ExperimentStatus.COMPLETED]
    ids = [record.id for record in completed]
    found = {
        record.id: Ended(Ending(EndingKind.CANCELLED))
        for record in records
        if record.status is ExperimentStatus.CANCELLED
    }
    decided = rows.final_decisions(tx, ids, COMPLETED)
    undone = rows.taken_back(tx, ids)
    acts = rows.acts(tx, [one for one in completed if one.shipped_version], _COMPLETE, experiment_object(""))
    for record in completed:
        decision = decided.get(record.id)
        if decision is None:
            raise DataLoss(f"experiment {record.spec.key!r} is completed and its decision is gone; restore a copy")
        said = acts.get((record.spec.organization, record.spec.key), {})
        found[record.id] = Ended(_ending(record, decision, said, record.id in undone), from_json(decision.result))
    return found


def _ending(record: ExperimentRecord, decision: DecisionRecord, said: JsonObject, undone: bool) -> Ending:
    """Returns how a completed experiment ended.

    Args:
        record: The experiment.
        decision: The decision that ended it.
        said: What the audit log says about it, where somebody completed it by hand and shipped.
        undone: Whether what was shipped was taken back since.
    """
    act = decision.act
    shipped = str((act or said).get("variant" if act else "shipped", "")) if record.shipped_version else ""
    variant = record.spec.variant(shipped)
    treatment = variant is not None and not variant.control
    reasons = (act or {}).get("reasons")
    return Ending(
        kind=_kind(str((act or {}).get("act", "")), treatment=treatment, undone=undone),
        automatic=act is not None,
        variant=shipped,
        forced=bool(said.get("forced")) if act is None else False,
        taken_back=undone,
        reasons=tuple(str(line) for line in reasons) if isinstance(reasons, list) else (),
        decision_id=decision.id,
    )


def _kind(act: str, *, treatment: bool, undone: bool) -> EndingKind:
    if act == "rollback" or (treatment and undone):
        return EndingKind.ROLLED_BACK
    if act == "expire":
        return EndingKind.EXPIRED
    return EndingKind.SHIPPED if treatment else EndingKind.NOT_SHIPPED
