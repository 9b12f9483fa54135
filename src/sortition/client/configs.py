"""Configurations the client holds, so that the sidecar need not send them again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

__all__ = ["ConfigCache"]


class ConfigCache:
    """The latest configurations of the latest callers; forgets the least recently used.

    Each caller (a subject, an experiment) names only the hashes it has seen itself: a request stays short however many
    configurations there are.

    Args:
        callers: How many callers are remembered.
        per_caller: How many configurations of each; an experiment has about as many as variants.
        max_bytes: How much all configurations may take.
    """

    def __init__(self, *, callers: int = 256, per_caller: int = 16, max_bytes: int = 16 * 2**20) -> None:
        self._callers: OrderedDict[Hashable, OrderedDict[bytes, bytes]] = OrderedDict()
        self._max_callers = callers
        self._per_caller = per_caller
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(len(held) for held in self._callers.values())

    def held(self, caller: Hashable) -> dict[bytes, bytes]:
        """Returns the configurations held for `caller` by their hashes.

        The copy keeps them alive until the answer is there, whatever is forgotten meanwhile.
        """
        with self._lock:
            held = self._callers.get(caller)
            if held is None:
                return {}
            self._callers.move_to_end(caller)
            return dict(held)

    def keep(self, caller: Hashable, digest: bytes, config: bytes) -> None:
        """Remembers a configuration, or that it was used again."""
        with self._lock:
            held = self._callers.setdefault(caller, OrderedDict())
            self._callers.move_to_end(caller)
            if digest not in held:
                held[digest] = config
                self._bytes += len(config)
            held.move_to_end(digest)
            while len(held) > self._per_caller:
                self._forget(held)
            while self._callers and (self._bytes > self._max_bytes or len(self._callers) > self._max_callers):
                oldest = next(iter(self._callers.values()))
                if oldest:
                    self._forget(oldest)
                if not oldest or len(self._callers) > self._max_callers:
                    self._forget_caller()

    def _forget(self, held: OrderedDict[bytes, bytes]) -> None:
        _, config = held.popitem(last=False)
        self._bytes -= len(config)

    def _forget_caller(self) -> None:
        _, held = self._callers.popitem(last=False)
        self._bytes -= sum(map(len, held.values()))
