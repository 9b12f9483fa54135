"""Writes into the audit log what is no act of the lifecycle: denied calls, and tokens that came and went."""

from __future__ import annotations

import os
import pwd
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from sortition.api.backend import BackendSource
from sortition.api.denials import Denials, Denied
from sortition.api.tokens import Token
from sortition.errors import SortitionError
from sortition.lifecycle import ANONYMOUS, Note

__all__ = ["BURST", "Journal"]

BURST: Final = 20
"""How many denials are written at once after a time of quiet; then there is room for one more each minute."""

_log = structlog.get_logger("sortition.service.journal")
_PAUSE_S: Final = 1.0
_LAST_WRITE_S: Final = 2.0
_REFILL_S: Final = 60.0
# What waits while the database is away; the oldest go first.
_MAX_WAITING: Final = 1000
_MAX_TEXT: Final = 128


class Journal:
    """One thread that writes, so that no call waits for the database.

    Whoever calls without a token decides how often, and must not decide how much is stored: equal denials are one
    event with a count, and events are rationed to a day's 1,440. What did not fit is counted in the next event.
    """

    def __init__(
        self, denials: Denials, backend: BackendSource, *, now: Callable[[], datetime], tokens_file: Path
    ) -> None:
        """Makes a journal.

        Args:
            denials: What is to be written.
            backend: Where to; while it is unavailable, what is to be written waits.
            now: The clock; aware, in UTC.
            tokens_file: The file of tokens; its owner is who changed it.
        """
        self._denials = denials
        self._backend = backend
        self._now = now
        self._tokens_file = tokens_file
        self._waiting: deque[Note] = deque(maxlen=_MAX_WAITING)
        self._lock = threading.Lock()
        self._room = float(BURST)
        self._filled_at = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sortition-journal", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits, if that is soon possible, and ends."""
        self._stopping.set()
        if self._thread.ident is not None:
            # A database that is away must not keep the outcomes waiting, which come next.
            self._thread.join(_LAST_WRITE_S)

    def tokens_changed(self, came: Sequence[Token], went: Sequence[Token]) -> None:
        """Notes which tokens were made and which were revoked."""
        actor, at = _owner(self._tokens_file), self._now()
        changes = [("token.create", token) for token in came] + [("token.revoke", token) for token in went]
        with self._lock:
            self._waiting.extend(
                Note(at, actor, action, f"token/{token.name}", details={"id": token.id, "role": token.role.value})
                for action, token in changes
            )

    def write(self) -> None:
        """Writes what waits. What cannot be written now waits on."""
        self._take_denials()
        with self._lock:
            notes = tuple(self._waiting)
        if not notes:
            return
        try:
            self._backend().audit.write(notes)
        except SortitionError as error:
            _log.debug("audit log not written", error=error.message)
            return
        with self._lock:
            # Those that were pushed out meanwhile are not there any more.
            for note in notes:
                if self._waiting and self._waiting[0] is note:
                    self._waiting.popleft()

    def _take_denials(self) -> None:
        now = time.monotonic()
        self._room = min(float(BURST), self._room + (now - self._filled_at) / _REFILL_S)
        self._filled_at = now
        taken, left_out = self._denials.take(int(self._room))
        self._room -= len(taken)
        notes = [_note(denied, left_out if index == 0 else 0) for index, denied in enumerate(taken)]
        for note in notes:
            _log.warning("calls denied", caller=note.actor, method=note.object, why=note.reason, **note.details)
        with self._lock:
            self._waiting.extend(notes)

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._stopping.wait(_PAUSE_S)
            try:
                self.write()
            except Exception as error:
                _log.error("audit log not written", exception="".join(traceback.format_exception(error)))


def _note(denied: Denied, left_out: int) -> Note:
    kind = denied.denial
    return Note(
        denied.first_at,
        kind.caller or ANONYMOUS,
        "call.denied",
        f"rpc/{kind.method}",
        kind.why,
        {
            "code": kind.code,
            "peer": kind.peer[:_MAX_TEXT],
            "count": denied.count,
            "last_at": denied.last_at.isoformat(),
            **({"left_out": left_out} if left_out else {}),
        },
    )


def _owner(path: Path) -> str:
    """Returns the user a file belongs to, by name where it has one."""
    try:
        uid = os.stat(path).st_uid
    except OSError:
        return ANONYMOUS
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
