"""What is written about denied calls, and how little of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sortition.api.denials import MAX_KINDS, Denial, Denials
from sortition.api.roles import Role
from sortition.api.tokens import create_token
from sortition.errors import StoreUnavailable
from sortition.lifecycle import Note
from sortition.service.journal import BURST, Journal

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


class Log:
    """Takes notes while the database is there."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.away = False

    def write(self, notes: Sequence[Note]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.notes.extend(notes)


class Clock:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    return made


def make(tmp_path: Path, log: Log) -> tuple[Denials, Journal]:
    denials = Denials()
    backend: Any = SimpleNamespace(audit=log)
    return denials, Journal(denials, lambda: backend, now=lambda: NOW, tokens_file=tmp_path / "tokens")


def kind(number: int, caller: str = "") -> Denial:
    return Denial(caller, f"a.B/{number}", "UNAUTHENTICATED", "no token", "ipv4:10.0.0.1")


def test_an_attacker_fills_nothing(tmp_path: Path, clock: Clock) -> None:
    log = Log()
    denials, journal = make(tmp_path, log)
    for second in range(24 * 60):
        for number in range(2 * MAX_KINDS):
            denials.note(kind(number))
        journal.write()
        clock.now += 60 if second % 2 else 0
    assert len(log.notes) <= BURST + 12 * 60 + 1, "an event a minute, whatever comes"
    assert len(log.notes) > 12 * 60
    told = sum(int(str(note.details["count"])) + int(str(note.details.get("left_out", 0))) for note in log.notes)
    assert told > 0.9 * denials.total, "and yet nearly every call was counted"


def test_what_happened_is_told_in_full(tmp_path: Path, clock: Clock) -> None:
    log = Log()
    denials, journal = make(tmp_path, log)
    denials.note(kind(1))
    denials.note(kind(1))
    denials.note(kind(2, "searcher"))
    journal.write()
    first, second = log.notes
    assert (first.actor, first.action, first.object, first.reason) == (
        "anonymous",
        "call.denied",
        "rpc/a.B/1",
        "no token",
    )
    assert first.details["count"] == 2
    assert (first.details["code"], first.details["peer"]) == ("UNAUTHENTICATED", "ipv4:10.0.0.1")
    assert second.actor == "searcher"


def test_while_the_database_is_away_events_wait_and_come_once(tmp_path: Path, clock: Clock) -> None:
    log = Log()
    log.away = True
    denials, journal = make(tmp_path, log)
    denials.note(kind(1))
    journal.write()
    denials.note(kind(2))
    journal.write()
    log.away = False
    journal.write()
    journal.write()
    assert [note.object for note in log.notes] == ["rpc/a.B/1", "rpc/a.B/2"]


def test_tokens_that_came_and_went_are_told(tmp_path: Path, clock: Clock) -> None:
    log = Log()
    _, journal = make(tmp_path, log)
    token, text = create_token(tmp_path / "tokens", "ada", Role.ADMIN)
    journal.tokens_changed([token], [token])
    journal.write()
    assert [(note.action, note.object) for note in log.notes] == [
        ("token.create", "token/ada"),
        ("token.revoke", "token/ada"),
    ]
    assert text not in str(log.notes)
    assert all(note.actor for note in log.notes)
