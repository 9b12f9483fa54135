"""Who does by itself what only one sidecar of a database may do: it holds a lease."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import structlog

from sortition.store import leases
from sortition.store.database import Database
from sortition.store.leases import Lease

__all__ = ["LEASE_S", "Leadership"]

LEASE_S: Final = 5.0
"""For so long a lease stands still before another sidecar takes it."""


class Leadership:
    """One sidecar's hold on a lease. Nobody else's clock is compared with its own."""

    def __init__(
        self,
        db: Database,
        name: str,
        *,
        what: str,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a hold that holds nothing yet.

        Args:
            db: The database.
            name: The lease's name.
            what: What is led, for the log.
            lease_s: Seconds that a lease stands still before it is taken.
            clock: Seconds that never go back.
        """
        self._db = db
        self._name = name
        self._what = what
        self._lease_s = lease_s
        self._clock = clock
        self._log = structlog.get_logger("sortition.lifecycle")
        self._holder = secrets.token_hex(16)
        self._held: Lease | None = None
        self._renewed_at = 0.0
        self._seen: Lease | None = None
        self._seen_at = 0.0

    @property
    def held(self) -> Lease | None:
        """The lease, where it is held as far as it knows."""
        return self._held

    def lead(self) -> bool:
        """Takes or renews the lease where that can be done; returns whether it is held now, and was taken or kept.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        began = self._clock()
        if self._held is not None:
            if began < self._renewed_at + self._lease_s / 3:
                return True
            held = self._held
            self._held = self._db.run(lambda tx: leases.renew(tx, self._name, held))
            if self._held is None:
                self._log.warning("another sidecar leads now", what=self._what)
                self._seen = None
        else:
            with self._db.read() as tx:
                seen = leases.read(tx, self._name)
            if self._seen != seen:
                self._seen, self._seen_at = seen, began
            if seen.holder and began < self._seen_at + self._lease_s:
                return False
            self._held = self._db.run(lambda tx: leases.take(tx, self._name, self._holder, seen))
            if self._held is not None:
                self._log.info("leads", what=self._what, token=self._held.token)
        # Counted from before the transaction: others count from after it.
        self._renewed_at = began
        return self._held is not None

    def lose(self) -> None:
        """Forgets the lease that an act was refused under."""
        self._held = None
        self._seen = None

    def give_back(self) -> None:
        """Gives the lease back, so that nobody has to wait for it.

        Raises:
            SortitionError: The database is away, or cannot be used.
        """
        held, self._held = self._held, None
        if held is not None:
            self._db.run(lambda tx: leases.release(tx, self._name, held))
