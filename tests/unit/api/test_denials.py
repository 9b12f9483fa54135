"""Denied calls are counted in bounded memory."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from sortition.api.denials import MAX_KINDS, Denial, Denials

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def kind(number: int) -> Denial:
    return Denial("", f"a.B/{number}", "UNAUTHENTICATED", "no token", "ipv4:10.0.0.1")


def test_equal_ones_are_counted_together() -> None:
    times = iter(NOW + timedelta(seconds=second) for second in range(10))
    denials = Denials(lambda: next(times))
    for _ in range(3):
        denials.note(kind(1))
    denials.note(kind(2))
    (first, second), left_out = denials.take(10)
    assert (first.denial, first.count, first.first_at, first.last_at) == (kind(1), 3, NOW, NOW + timedelta(seconds=2))
    assert (second.denial, second.count) == (kind(2), 1)
    assert left_out == 0
    assert denials.take(10) == ([], 0)
    assert denials.total == 4


def test_kinds_are_bounded_and_what_was_left_out_is_counted() -> None:
    denials = Denials()
    for number in range(MAX_KINDS + 50):
        denials.note(kind(number))
    assert denials.take(0) == ([], 0), "without room nothing is taken, and nothing is forgotten"
    taken, left_out = denials.take(10)
    assert [each.denial for each in taken] == [kind(number) for number in range(10)]
    assert left_out == 50
    taken, left_out = denials.take(1000)
    assert len(taken) == MAX_KINDS - 10
    assert left_out == 0
    assert denials.total == MAX_KINDS + 50
