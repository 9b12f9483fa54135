"""The loop of automatic mode: in every sidecar, and at work in one of each database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from sortition.errors import Conflict, SortitionError, Unavailable
from sortition.lifecycle.automatic.acts import LEASE, Automatic, open_experiments
from sortition.lifecycle.automatic.judge import Act
from sortition.lifecycle.leadership import LEASE_S, Leadership
from sortition.lifecycle.repeating import Repeating
from sortition.store import installation
from sortition.store.database import Database
from sortition.store.records import ExperimentRecord
from sortition.store.writer import high_waters

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["INTERVAL_S", "LEASE_S", "Leader"]

_log = structlog.get_logger("sortition.lifecycle.automatic")

INTERVAL_S: Final = 1.0
"""Between two looks for something new; what follows from it is cheap where there is none."""
# Time alone ends experiments too, and what was refused is tried again.
_AT_LEAST_S: Final = 30.0


class Leader:
    """Looks at the experiments with a policy whenever there is something new about them, while it holds the lease."""

    def __init__(
        self,
        db: Database,
        automatic: Automatic,
        *,
        interval_s: float = INTERVAL_S,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a loop that is not running yet.

        Args:
            db: The database.
            automatic: What acts.
            interval_s: Seconds between two looks for something new.
            lease_s: Seconds that a lease stands still before it is taken.
            clock: Seconds that never go back; nobody else's are compared with them.
        """
        self._db = db
        self._automatic = automatic
        self._clock = clock
        self._leadership = Leadership(db, LEASE, what="automatic mode", lease_s=lease_s, clock=clock)
        self._experiments: list[ExperimentRecord] = []
        self._revision = -1
        self._looked: tuple[object, ...] = ()
        self._looked_at = 0.0
        self._said: dict[str, str] = {}
        self._looking = Repeating(
            "automatic mode", self.tick, every_s=interval_s, name="automatic", level=logging.ERROR
        )

    @property
    def leads(self) -> bool:
        """Whether it holds the lease, as far as it knows."""
        return self._leadership.held is not None

    def start(self) -> None:
        """Begins to look."""
        self._looking.start()

    def stop(self) -> None:
        """Ends, and gives the lease back."""
        self._looking.stop()
        try:
            self._leadership.give_back()
        except SortitionError as error:
            _log.debug("lease not given back", error=error.message)

    def tick(self) -> None:
        """Looks once: takes or renews the lease, and acts where there is something new.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        with self._db.read() as tx:
            news = self._news(tx)
        if not self._experiments:
            # Nobody is needed, so nothing is written.
            self._leadership.give_back()
            return
        led = self.leads
        if not self._leadership.lead():
            return
        if not led:
            # What the one before has not seen to may wait.
            self._looked = ()
        now = self._clock()
        if news == self._looked and now < self._looked_at + _AT_LEAST_S:
            return
        for record in self._experiments:
            self._step(record)
        self._looked, self._looked_at = news, now

    def _news(self, tx: Connection) -> tuple[object, ...]:
        """Returns what is different whenever anything that counts has changed."""
        revision = installation.revision(tx)
        if revision != self._revision:
            self._experiments = [one for one in open_experiments(tx) if one.spec.decision.automatic or one.spec.ramp]
            self._revision = revision
            known = {_name(one) for one in self._experiments}
            self._said = {key: why for key, why in self._said.items() if key in known}
        return (revision, *high_waters(tx))

    def _step(self, record: ExperimentRecord) -> None:
        key = _name(record)
        try:
            step = self._automatic.step(record, lease=self._leadership.held)
        except Conflict:
            # Who was fenced off does not lead any more; the rest is for the other one.
            self._leadership.lose()
            raise
        except Unavailable:
            raise
        except SortitionError as error:
            # One that cannot be looked at must not keep the others waiting.
            self._say(key, "look", error.message)
            return
        if step.decision_id:
            _log.warning(
                "next step of the ramp" if step.judgement.act is Act.ADVANCE else "experiment ended",
                experiment=key,
                act=str(step.judgement.act),
                variant=step.judgement.variant,
                reasons=list(step.judgement.reasons),
                decision=step.decision_id,
            )
        elif step.judgement.act is not Act.CONTINUE:
            self._say(key, str(step.judgement.act), step.refused or "the policy does not allow it")

    def _say(self, key: str, act: str, why: str) -> None:
        """Says once what would otherwise be said at every look."""
        if self._said.get(key) != why:
            self._said[key] = why
            _log.warning("not done", experiment=key, act=act, why=why)


def _name(record: ExperimentRecord) -> str:
    return f"{record.spec.organization}/{record.spec.key}"
