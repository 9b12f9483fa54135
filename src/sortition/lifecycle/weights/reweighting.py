"""A change of weights: an allocation that moves the fewest buckets, announced before it takes effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError

from sortition.errors import FailedPrecondition, Violation
from sortition.lifecycle.actor import Actor
from sortition.lifecycle.allocation import moved_buckets, next_allocation
from sortition.lifecycle.change import Change, Changes, experiment_object
from sortition.lifecycle.queries import require_experiment
from sortition.lifecycle.validation import refuse
from sortition.model import ExperimentStatus, JsonObject, weight_violations
from sortition.model.base import describe
from sortition.model.variant import Weight
from sortition.store import experiments as rows
from sortition.store import registrations, reweightings
from sortition.store.database import Database
from sortition.store.records import AllocationRecord, DeviationRecord, ExperimentRecord

if TYPE_CHECKING:
    from decimal import Decimal

    from sqlalchemy import Connection

__all__ = ["MOST_CHANGES", "Reweighted", "announce", "named", "reweight"]

MOST_CHANGES: Final = 99
"""How often the weights of an experiment can be changed: every change is a period of its own in the analysis."""

_OPEN: Final = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)


@dataclass(frozen=True)
class Reweighted:
    """What becomes of an experiment's weights.

    Attributes:
        record: The experiment.
        before: The allocation in effect.
        after: The allocation that has the weights asked for.
        changed: Whether anything was, or would be, changed.
    """

    record: ExperimentRecord
    before: AllocationRecord
    after: AllocationRecord
    changed: bool

    @property
    def moved(self) -> int:
        """How many of the 10,000 buckets change hands."""
        return moved_buckets(self.before, self.after)

    @property
    def effective(self) -> bool:
        """Whether the weights asked for are in effect."""
        return self.after.generation <= self.before.generation

    def weights(self) -> list[tuple[str, int, int]]:
        """Returns each variant's name, its weight in effect and the one asked for, in basis points."""
        variants = self.record.spec.variants
        pairs = zip(self.before.weights(len(variants)), self.after.weights(len(variants)), strict=True)
        return [(variant.name, had, gets) for variant, (had, gets) in zip(variants, pairs, strict=True)]


def reweight(
    db: Database,
    changes: Changes,
    organization: str,
    key: str,
    weights: Mapping[str, object],
    actor: Actor,
    *,
    validate_only: bool = False,
) -> Reweighted:
    """Changes the weights of a running or paused experiment.

    Asked for again, the same weights change nothing.

    Args:
        db: The database.
        changes: Makes the act.
        organization: Who owns it.
        key: Its key.
        weights: The weight of every variant by its name, in percent, exact to 0.01; all sum to 100.
        actor: Who and why.
        validate_only: Answer as if it were done, and change nothing.

    Raises:
        InvalidArgument: Lists every violation.
        NotFound: There is no such experiment.
        FailedPrecondition: It does not run, its variants are chosen elsewhere, other weights are announced, or it was
            changed too often.
    """
    if validate_only:
        with db.read() as tx:
            return _planned(tx, organization, key, weights, actor)
    with changes.begin(actor) as change:
        plan = _planned(change.tx, organization, key, weights, actor)
        if not plan.changed:
            return plan
        details: JsonObject = named(plan)
        record = announce(change, "reweight", plan.record, plan.after, details)
        if record.registration is not None:
            deviation = DeviationRecord(change.at, actor.name, "reweight", actor.reason, details)
            registrations.add_deviation(change.tx, record.id, deviation)
        return replace(plan, record=record)


def announce(
    change: Change, action: str, record: ExperimentRecord, allocation: AllocationRecord, details: JsonObject
) -> ExperimentRecord:
    """Announces the next allocation of an experiment, with its audit row.

    Raises:
        FailedPrecondition: Another one is announced, or there were too many.
        Conflict: Somebody else was faster.
    """
    _check_next(record, allocation.generation)
    reweightings.announce(change.tx, record.id, allocation, change.at)
    saved = rows.save(change.tx, record)
    change.log(f"experiment.{action}", record.spec.organization, experiment_object(record.spec.key), details)
    return replace(saved, announced=allocation)


def named(plan: Reweighted) -> JsonObject:
    """Returns a change of weights as JSON: percent by variant, and how many buckets it moves."""
    return {
        "generation": plan.after.generation,
        "weights": {name: f"{gets / 100:g}" for name, _, gets in plan.weights()},
        "weights_before": {name: f"{had / 100:g}" for name, had, _ in plan.weights()},
        "moved_buckets": plan.moved,
    }


def _planned(tx: Connection, organization: str, key: str, weights: Mapping[str, object], actor: Actor) -> Reweighted:
    record = require_experiment(tx, organization, key)
    wanted = _wanted(record, weights, actor)
    _check_open(record)
    before = record.allocations[-1]
    if record.announced is not None and record.announced.weights(len(wanted)) == wanted:
        return Reweighted(record, before, record.announced, changed=False)
    if record.announced is None and record.weights == wanted:
        return Reweighted(record, before, before, changed=False)
    after = next_allocation(before, wanted)
    _check_next(record, after.generation)
    return Reweighted(record, before, after, changed=True)


_WEIGHT: Final[TypeAdapter[Decimal]] = TypeAdapter(Weight)


def _wanted(record: ExperimentRecord, weights: Mapping[str, object], actor: Actor) -> tuple[int, ...]:
    """Returns the weights in basis points, in declared order."""
    found: list[Violation] = [*actor.violations()]
    read: dict[str, Decimal] = {}
    for name, weight in weights.items():
        try:
            read[name] = _WEIGHT.validate_python(weight)
        except ValidationError as error:
            found += [Violation(f"weights[{name}]", describe(detail)) for detail in error.errors()]
    # A sum with a refused weight in it would say nothing.
    if len(read) == len(weights):
        found += [
            Violation(f"weights[{name}]" if name else "weights", what)
            for name, what in weight_violations(read, record.spec.variants)
        ]
    refuse(found)
    return tuple(int(read[variant.name] * 100) for variant in record.spec.variants)


def _check_open(record: ExperimentRecord) -> None:
    spec = record.spec
    if spec.external_assignment:
        raise FailedPrecondition(f"variants of {spec.key!r} are chosen elsewhere, so that its weights decide nothing")
    if record.status not in _OPEN or not record.allocations:
        raise FailedPrecondition(
            f"experiment {spec.key!r} is {record.status}, and only the weights of a running or paused one can be"
            " changed; update a draft, or create another experiment"
        )


def _check_next(record: ExperimentRecord, generation: int) -> None:
    key = record.spec.key
    if record.announced is not None:
        raise FailedPrecondition(
            f"other weights of {key!r} are announced and take effect within seconds; ask again then"
        )
    if generation > MOST_CHANGES + 1:
        raise FailedPrecondition(
            f"the weights of {key!r} were changed {MOST_CHANGES} times, which is the limit; create another experiment"
        )
