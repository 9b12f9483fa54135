"""The core in the agent's process: begun by the first call, and begun anew in a forked process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from sortition.client.credentials import Credentials
from sortition.client.local.feeder import Feeder
from sortition.client.local.link import Link
from sortition.client.local.shipper import Shipper
from sortition.client.local.source import SnapshotSource
from sortition.client.local.units import UnitArray, units_of
from sortition.client.protocol import Call
from sortition.client.stats import ClientStats
from sortition.client.transport import METHODS
from sortition.core import Assigner, Assignment, Engine, Variants
from sortition.errors import FailedPrecondition, NotReady
from sortition.rpc.v1 import assignment_pb2

__all__ = ["Process"]

SHIP_INTERVAL_S: Final = 0.2
"""How long an outcome waits at most while the sidecar is there."""


class Process:
    """An engine, who feeds it, and who ships what it has taken.

    No thread and no connection is there before the first call. In a forked process the engine answers from the same
    snapshot, has nothing to ship, and is known to the sidecar under another id.

    Args:
        target: The sidecar's address; see `find_target`.
        credentials: What it asks for.
        source: Where snapshots come from; the sidecar when ``None``.
        timeout_s: How long the first call may wait for the first snapshot, in seconds.
        organization: Who owns the experiments.
    """

    def __init__(
        self,
        target: str | None,
        credentials: Credentials,
        source: SnapshotSource | None,
        timeout_s: float,
        organization: str,
    ) -> None:
        # With a source of its own, there is a sidecar only if one is named.
        self._link = Link(target, credentials) if source is None or target is not None else None
        self._source = source or self._link
        self._timeout_s = timeout_s
        self._organization = organization
        self._engine = Engine.forwarding()
        # Once there is a snapshot, a call of its method is one of the core, without a frame of Python. It stays the
        # same for good, as callers may keep the method: closing and forking take the engine from behind it.
        self.assigner = Assigner(organization, self._first_assign_unit, exposes=self._link is not None)
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._feeder: Feeder | None = None
        self._shipper: Shipper | None = None
        self._first_wait_over = 0.0
        self._closed = False

    @property
    def target(self) -> str:
        """The sidecar's address, as it was found last; empty without one."""
        return self._link.target if self._link is not None else ""

    @property
    def engine(self) -> Engine:
        """The core, fed from now on; with a snapshot, if one came in time."""
        feeder = self._feeder
        if feeder is None or self._closed:
            feeder = self._begin()
        if not self._engine.ready:
            # Together, callers wait once for the first snapshot, and afterwards not at all.
            feeder.wait(max(0.0, self._first_wait_over - time.monotonic()))
        return self._engine

    def call(self, step: Call) -> Any:
        """Makes one call in this process.

        Raises:
            SortitionError: As the sidecar would have answered.
        """
        engine = self.engine
        if not engine.ready:
            raise NotReady(f"no snapshot came within {self._timeout_s:g} s; one is looked for meanwhile")
        request = step.request
        if self._link is None:
            if step.method.startswith("Record") or step.method == "Expose":
                raise FailedPrecondition("this client only assigns: there is no sidecar to tell; give it a target")
            if isinstance(request, assignment_pb2.AssignRequest):
                request.expose = False
        handle: Callable[[bytes], bytes] = {
            "Assign": engine.assign,
            "Expose": engine.expose,
            "Record": engine.record,
            "RecordBatch": engine.record_batch,
        }[step.method]
        try:
            return METHODS[step.method][1](handle(request.SerializeToString()))
        except FailedPrecondition as error:
            if self._link is None or not _is_elsewhere(error):
                raise
            # Its weights were changed, and who was exposed before is known to the sidecar alone.
            return METHODS[step.method][1](self._link.ask(step.method, request.SerializeToString(), self._timeout_s))

    def _first_assign_unit(self, experiment: str, unit: str, expose: bool) -> Assignment:
        engine = self.engine
        if engine.ready:
            with self._lock:
                if not self._closed:
                    self.assigner.aim(engine)
        return engine.assign_unit(experiment, unit, self._organization, expose and self._link is not None)

    def assign_many(self, experiment: str, units: UnitArray, expose: bool) -> Variants:
        """Assigns many units; see `Engine.assign_many`."""
        expose = expose and self._link is not None
        return self.engine.assign_many(experiment, units_of(units), self._organization, expose)

    def stats(self, own: ClientStats) -> ClientStats:
        """Returns what the client counted, with what became of it at the sidecar."""
        counted = self._engine.counters()
        shipper = self._shipper
        if shipper is None:
            return own
        shipped = shipper.shipped
        return replace(
            own,
            observations=shipped.observations,
            duplicates=own.duplicates + shipped.duplicates,
            retries=own.retries + shipped.retries,
            refused=own.refused + shipped.refused,
            waiting=own.waiting + counted["outbound_items"],
        )

    def flush(self, timeout_s: float) -> int:
        """Ships what waits, for at most `timeout_s` seconds; returns how many outcomes and exposures still do."""
        if self._shipper is not None:
            self._shipper.flush(timeout_s)
        return self._engine.counters()["outbound_items"]

    def close(self) -> None:
        """Ends what runs; what was not shipped is lost."""
        with self._lock:
            self._closed = True
            self.assigner.aim(None)
            feeder, shipper = self._feeder, self._shipper
        if feeder is not None:
            feeder.stop()
        if shipper is not None:
            shipper.stop()
        if self._link is not None:
            self._link.close()
        if feeder is not None:
            feeder.join()

    def after_fork(self) -> None:
        """Begins anew: what waits is the parent's to ship, and none of its threads is here."""
        self.assigner.aim(None)
        self._engine = self._engine.forked()
        if self._link is not None:
            self._link.after_fork()
        self._reset()

    def _begin(self) -> Feeder:
        with self._lock:
            if self._closed:
                raise FailedPrecondition("the client is closed; make another one")
            if self._feeder is None:
                assert self._source is not None
                self._first_wait_over = time.monotonic() + self._timeout_s
                if self._link is not None:
                    self._shipper = Shipper(self._engine, self._link.record, SHIP_INTERVAL_S)
                    self._shipper.start()
                feeder = Feeder(self._engine, self._source)
                feeder.start()
                self._feeder = feeder
            return self._feeder


def _is_elsewhere(error: FailedPrecondition) -> bool:
    """Returns whether the core says that only the sidecar can tell: of no other state the unit is the reason."""
    # The status has no room for fields: the message begins with the one it is about.
    return error.message.startswith("unit: ")
