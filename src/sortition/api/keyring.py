"""The tokens in force: read from their file again whenever it changes."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from sortition.api.tokens import Token, read_tokens, token_id
from sortition.errors import SettingsError
from sortition.events import EventLog

__all__ = ["POLL_S", "Keyring"]

POLL_S: Final = 0.5
"""Seconds between two looks at the file; two seconds are promised between a revocation and its effect."""

_log = EventLog("sortition.api.tokens")
_SCHEME: Final = "Bearer "

Changed: TypeAlias = Callable[[Sequence[Token], Sequence[Token]], None]
Looked: TypeAlias = Callable[[], None]
_Signature: TypeAlias = tuple[int, int, int, int]


class Keyring:
    """Finds the token that a caller sent.

    When the file is lost or damaged while the sidecar runs, nobody gets in until it is there again: tokens that were
    good a moment ago may have been revoked with it.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file.

        Args:
            path: The file.

        Raises:
            SettingsError: It cannot be used.
        """
        self.path = path
        # Before reading: what changes in between is read once more.
        self._signature = _signature(path)
        # Replaced as a whole, never changed: callers look without a lock.
        self._held = {token.id: token for token in read_tokens(path)}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def find(self, authorization: str) -> Token | None:
        """Returns the token in an ``authorization`` header, expired or not; None when it is none of these."""
        if authorization[: len(_SCHEME)] != _SCHEME:
            return None
        text = authorization[len(_SCHEME) :]
        token = self._held.get(token_id(text))
        return token if token is not None and token.matches(text) else None

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens in force, expired ones among them."""
        return tuple(self._held.values())

    def holds(self, token: Token) -> bool:
        """Returns whether a token that was found earlier has not been revoked since."""
        held = self._held.get(token.id)
        return held is not None and held.digest == token.digest

    def start(self, changed: Changed, looked: Looked) -> None:
        """Begins to watch the file.

        Args:
            changed: Called with the tokens that came and those that went.
            looked: Called after each look, whatever it showed.
        """
        self._thread = threading.Thread(
            target=self._watch, args=(changed, looked), name="sortition-tokens", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends watching."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> tuple[list[Token], list[Token]]:
        """Reads the file if it has changed; returns the tokens that came and those that went."""
        signature = _signature(self.path)
        if signature == self._signature:
            return [], []
        self._signature = signature
        before = self._held
        try:
            after = {token.id: token for token in read_tokens(self.path)}
        except SettingsError as error:
            self._held = {}
            _log.error("tokens lost, nobody gets in", error=error.message)
            return [], []
        self._held = after
        came = [token for identity, token in after.items() if identity not in before]
        went = [token for identity, token in before.items() if identity not in after]
        _log.info("tokens loaded", tokens=len(after), came=len(came), went=len(went))
        return came, went

    def _watch(self, changed: Changed, looked: Looked) -> None:
        # At once: where a lane answers from the first moment, the file may have been read a while ago.
        watching = True
        while watching:
            try:
                came, went = self.refresh()
                if came or went:
                    changed(came, went)
                looked()
            except Exception as error:
                # Were this thread to end, revocations would have no effect and nobody would know.
                _log.error("tokens not watched", exception="".join(traceback.format_exception(error)))
            watching = not self._stopping.wait(POLL_S)


def _signature(path: Path) -> _Signature | None:
    """Returns what changes whenever a file does; None when it cannot be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
