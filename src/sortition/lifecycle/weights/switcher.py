"""Brings announced weights into effect: in the database once, and in each sidecar when it knows who was exposed.

While an allocation is announced, every sidecar that has seen it exposes nobody in the buckets that it moves. By the
time that it takes effect, all of them have flushed, so that the database knows every unit that keeps its variant; each
sidecar reads them and switches. One that is cut off stays on the allocation before, exposes nobody in those buckets,
and its answers say so by the number of their allocation.

No two clocks are compared: whoever has seen an announcement for long enough by its own stopwatch puts it into effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from sortition.lifecycle.actor import Actor
from sortition.lifecycle.change import Changes, experiment_object
from sortition.lifecycle.repeating import Repeating
from sortition.lifecycle.snapshot import snapshot_version
from sortition.model import ExperimentStatus, JsonObject
from sortition.state.units import KeptUnits
from sortition.store import experiments as rows
from sortition.store import reweightings
from sortition.store.database import Database
from sortition.store.exposed_units import exposed_before
from sortition.store.records import ExperimentRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Switcher"]

_log = structlog.get_logger("sortition.lifecycle.weights")

_INTERVAL_S: Final = 0.5
_OPEN: Final = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)
_ACTOR: Final = Actor("sortition", "it was announced for long enough")


class Switcher:
    """One sidecar's part in every change of weights."""

    def __init__(
        self,
        db: Database,
        kept: KeptUnits,
        changes: Changes,
        *,
        flush: Callable[[], None],
        announced_s: float,
        interval_s: float = _INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a switcher that is not running yet.

        Args:
            db: The database.
            kept: Who was exposed, as this sidecar knows it.
            changes: Makes acts.
            flush: Brings everything recorded so far into the database, or raises.
            announced_s: Seconds that an allocation is announced before it takes effect: long enough for every sidecar
                to see it and to flush.
            interval_s: Seconds between two looks.
            clock: Seconds that never go back; nobody else's are compared with them.
        """
        self._db = db
        self._kept = kept
        self._changes = changes
        self._flush = flush
        self._announced_s = announced_s
        self._clock = clock
        self._revision = -1
        self._changed: list[ExperimentRecord] = []
        self._seen: dict[tuple[str, int], float] = {}
        self._keys: dict[str, tuple[str, str]] = {}
        self._looking = Repeating("re-weighting", self.tick, every_s=interval_s, name="weights")

    def start(self) -> None:
        """Begins to look."""
        self._looking.start()

    def stop(self) -> None:
        """Ends; what is announced is put into effect by another sidecar, or by the next start."""
        self._looking.stop()

    def tick(self) -> None:
        """Looks once, switches where that can be done, and puts into effect what was announced for long enough.

        Raises:
            SortitionError: The database is away; to be tried again.
        """
        with self._db.read() as tx:
            version = self._follow(tx)
        waiting = [one for one in self._changed if self._kept.through(one.id) < one.allocations[-1].generation]
        # Only what the engine answers from by now keeps it from exposing anybody who is about to move.
        if self._kept.engine.snapshot_version < version:
            return
        if waiting:
            self._switch(waiting)
        self._put_into_effect()

    def _follow(self, tx: Connection) -> int:
        """Learns of the experiments whose weights were changed; returns the version of the snapshot that has them."""
        version = snapshot_version(tx)
        if version != self._revision:
            found = [one for one in rows.unarchived(tx) if one.status in _OPEN]
            self._changed = [one for one in found if len(one.allocations) > 1 and not one.spec.external_assignment]
            announced = [one for one in found if one.announced is not None]
            began = self._clock()
            self._seen = {
                place: self._seen.get(place, began)
                for place in ((one.id, one.announced.generation) for one in announced if one.announced is not None)
            }
            self._keys = {one.id: (one.spec.organization, one.spec.key) for one in announced}
            self._kept.retain({one.id for one in self._changed})
            self._revision = version
        return version

    def _switch(self, waiting: list[ExperimentRecord]) -> None:
        # What was exposed here belongs to what is read next.
        self._flush()
        for one in waiting:
            generation = one.allocations[-1].generation
            with self._db.read() as tx:
                units = exposed_before(tx, one.id, generation)
            self._kept.put(one.id, generation, units)
            _log.info("weights in effect", experiment=one.spec.key, allocation=generation, kept=len(units))

    def _put_into_effect(self) -> None:
        now = self._clock()
        due = [place for place, began in self._seen.items() if now >= began + self._announced_s]
        for experiment_id, generation in due:
            organization, key = self._keys[experiment_id]
            # This sidecar's own at least are known to be there; the others' were flushed in the time that has passed.
            self._flush()
            with self._changes.begin(_ACTOR) as change:
                # Another sidecar may have been faster; it is done once.
                if reweightings.take_effect(change.tx, experiment_id, generation, change.at):
                    details: JsonObject = {"generation": generation}
                    change.log("experiment.weights_in_effect", organization, experiment_object(key), details)
