"""The sidecar with a bug in it: ``python planted.py BUG serve …``. Whoever looks for faults has to find every one.

Bugs of the native module are patches instead, in the directory `mutants`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from sortition.api import data
from sortition.core import SealedBatch
from sortition.errors import StoreUnavailable
from sortition.flusher import Flusher
from sortition.rpc.v1 import recording_pb2
from sortition.state import StateDirectory
from sortition.store import BatchWriter
from sortition.store.schema import writers

__all__ = ["BUGS"]

_LATE_S = 0.05


def _replace(owner: Any, name: str, method: Any) -> Any:
    """Puts `method` in place of one that is there; returns that."""
    before = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, method)
    return before


def _mark_not_checked() -> None:
    """A batch that was applied is applied again when nobody heard of the commit."""

    def advance(self: Any, tx: Any, number: int) -> bool:
        tx.execute(writers.update().where(writers.c.name == self.name).values(high_water=number))
        return True

    _replace(BatchWriter, "_advance", advance)


def _mark_moved_before() -> None:
    """The high-water mark moves in a transaction of its own, before the cells are merged."""

    def apply(self: Any, batch: SealedBatch) -> bool:
        advanced: bool = self._db.run(lambda tx: self._advance(tx, batch.number))
        if advanced:
            self._db.run(lambda tx: (self._merge_cells(tx, batch), self._insert_exposures(tx, batch.exposures)))
        self._high_water = max(self._high_water, batch.number)
        return advanced

    _replace(BatchWriter, "apply", apply)


def _mark_moved_behind() -> None:
    """The high-water mark moves in a transaction of its own, after the cells were merged."""

    def apply(self: Any, batch: SealedBatch) -> bool:
        if self._high_water < batch.number:
            self._db.run(lambda tx: (self._merge_cells(tx, batch), self._insert_exposures(tx, batch.exposures)))
        advanced: bool = self._db.run(lambda tx: self._advance(tx, batch.number))
        self._high_water = max(self._high_water, batch.number)
        return advanced

    _replace(BatchWriter, "apply", apply)


def _gap_accepted() -> None:
    """A batch is applied although those before it are missing; by itself nothing comes of it."""

    def advance(self: Any, tx: Any, number: int) -> bool:
        mine = writers.c.name == self.name
        tx.execute(writers.update().where(mine, writers.c.high_water < number - 1).values(high_water=number - 1))
        return bool(before(self, tx, number))

    before = _replace(BatchWriter, "_advance", advance)


def _unknown_taken_for_done() -> None:
    """A flush whose result is unknown is taken for done, and the gap that it leaves is accepted."""
    _gap_accepted()

    def apply(self: Any, batch: SealedBatch) -> bool:
        try:
            return bool(before(self, batch))
        except StoreUnavailable:
            self._high_water = batch.number
            return True

    before = _replace(BatchWriter, "apply", apply)


def _cut_before_commit() -> None:
    """What was recorded is forgotten before the database has it, and the gap that it leaves is accepted."""
    _gap_accepted()

    def flush_one(self: Any) -> bool:
        batch = self._engine.seal()
        if batch is None:
            return False
        self._engine.commit(batch.number)
        self._writer.apply(batch)
        return True

    _replace(Flusher, "_flush_one", flush_one)


def _exposures_dropped() -> None:
    """Exposures are not stored."""
    _replace(BatchWriter, "_insert_exposures", lambda *_: None)


def _cells_replaced() -> None:
    """A batch's cells take the place of those that are stored, instead of being merged with them."""

    def stored(*_: object) -> Iterator[Any]:
        return iter(())

    _replace(BatchWriter, "_stored", stored)


def _no_last_flush() -> None:
    """A drain does not flush."""
    _replace(Flusher, "stop", lambda self, _: self._stopping.set())


def _not_locked() -> None:
    """The state directory is not locked."""

    def acquire(_: Any, path: Any) -> Any:
        return path.open("a+b")

    _replace(StateDirectory, "_acquire", acquire)


def _acknowledged_before() -> None:
    """Calls are acknowledged first and recorded a moment later."""

    def single(handle: Callable[[bytes], bytes], method: str, *rest: Any) -> Any:
        if not method.endswith("/Record"):
            return before(handle, method, *rest)

        def behavior(request: bytes, _: grpc.ServicerContext) -> bytes:
            accepted = len(recording_pb2.RecordRequest.FromString(request).outcome.observations)
            late = threading.Timer(_LATE_S, handle, (request,))
            late.daemon = True
            late.start()
            return recording_pb2.RecordResponse(accepted=accepted).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(behavior)

    before = _replace(data, "_single", single)


BUGS = {
    "mark-not-checked": _mark_not_checked,
    "mark-moved-before": _mark_moved_before,
    "mark-moved-behind": _mark_moved_behind,
    "unknown-taken-for-done": _unknown_taken_for_done,
    "cut-before-commit": _cut_before_commit,
    "exposures-dropped": _exposures_dropped,
    "cells-replaced": _cells_replaced,
    "no-last-flush": _no_last_flush,
    "not-locked": _not_locked,
    "acknowledged-before": _acknowledged_before,
}

if __name__ == "__main__":
    from sortition.cli import main

    BUGS[sys.argv.pop(1)]()
    main()
