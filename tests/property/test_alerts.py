"""What becomes of alerts: whatever the rules say and in whatever order, each question is told of once each way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from sortition.analyzer.alerts import Reading
from sortition.lifecycle.alerts.transitions import About, Transition, advance
from sortition.model.alert import Rule, Trigger
from sortition.store.alerts import ACTIVE, PENDING, RESOLVED, AlertRecord

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
RULES = (
    Rule(name="now", trigger=Trigger.REGRESSION, resolve_s=0),
    Rule(name="later", trigger=Trigger.REGRESSION, hold_s=60, resolve_s=120),
    Rule(name="slowly", trigger=Trigger.DATA_QUALITY, hold_s=0, resolve_s=60),
)
QUESTIONS = [(rule.name, metric, variant) for rule in RULES for metric in ("a", "b") for variant in ("x", "y")]
SAYS = {"fires": (True, False), "between": (False, False), "over": (False, True)}

Look = tuple[int, dict[tuple[str, str, str], str]]
looks = st.lists(
    st.tuples(st.integers(1, 100), st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(sorted(SAYS)))),
    max_size=25,
)


def readings(said: dict[tuple[str, str, str], str]) -> list[Reading]:
    return [
        Reading(rule, *SAYS[word], metric=metric, variant=variant, value=1.0, reason=word)
        for (rule, metric, variant), word in said.items()
    ]


class Book:
    """Keeps alerts as the database does."""

    def __init__(self) -> None:
        self.alerts: dict[str, AlertRecord] = {}
        self.told: list[Transition] = []
        self.ids: Iterator[int] = count()

    def look(self, said: list[Reading], now: datetime) -> list[Transition]:
        kept = [one for one in self.alerts.values() if one.state != RESOLVED]
        found = advance(kept, said, RULES, About("e", "o", "k"), now, lambda: str(next(self.ids)))
        for one in found:
            if one.forgotten:
                del self.alerts[one.alert.id]
            else:
                self.alerts[one.alert.id] = one.alert
        self.told += [one for one in found if one.told]
        return found


@given(looks)
def test_each_opening_is_followed_by_one_end_and_never_by_another_opening(given_looks: list[Look]) -> None:
    book, now = Book(), START
    for seconds, said in given_looks:
        now += timedelta(seconds=seconds)
        book.look(readings(said), now)
        asked = [one.question for one in book.alerts.values() if one.state != RESOLVED]
        assert len(asked) == len(set(asked))
    for question in QUESTIONS:
        told = [one.told for one in book.told if one.alert.question == question]
        assert told == [("opened", "resolved")[place % 2] for place in range(len(told))]
    for id in {one.alert.id for one in book.told}:
        assert [one.told for one in book.told if one.alert.id == id] in (["opened"], ["opened", "resolved"])


@given(looks)
def test_the_same_once_more_changes_nothing(given_looks: list[Look]) -> None:
    book, now = Book(), START
    for seconds, said in given_looks:
        now += timedelta(seconds=seconds)
        book.look(readings(said), now)
        assert not [one for one in book.look(readings(said), now) if one.told]
        before = dict(book.alerts)
        book.look(readings(said), now)
        assert book.alerts == before


@given(looks, st.randoms(use_true_random=False))
def test_the_order_of_what_is_said_makes_no_difference(given_looks: list[Look], chance: object) -> None:
    one, other, now = Book(), Book(), START
    for seconds, said in given_looks:
        now += timedelta(seconds=seconds)
        listed = readings(said)
        shuffled = list(listed)
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        one.look(listed, now)
        other.look(shuffled, now)
        assert one.alerts == other.alerts


@given(looks)
def test_nothing_opens_before_it_has_lasted_and_nothing_ends_before_it_is_over(given_looks: list[Look]) -> None:
    """Against the rule said in another way: by looking back at everything that was said of one question."""
    book, now, history = Book(), START, dict[tuple[str, str, str], list[tuple[datetime, str]]]()
    for seconds, said in given_looks:
        now += timedelta(seconds=seconds)
        for question, word in said.items():
            history.setdefault(question, []).append((now, word))
        for one in book.look(readings(said), now):
            rule = next(rule for rule in RULES if rule.name == one.alert.rule)
            last = list(reversed(history.get(one.alert.question, [])))
            if one.told == "opened":
                lasted = _run(last, "fires")
                assert now - lasted >= timedelta(seconds=rule.hold_s)
            elif one.told == "resolved":
                lasted = _run(last, "over")
                assert now - lasted >= timedelta(seconds=rule.resolve_s)


def _run(last: list[tuple[datetime, str]], word: str) -> datetime:
    """Returns since when nothing but `word` was said."""
    since = last[0][0]
    for at, said in last:
        if said != word:
            break
        since = at
    assert last[0][1] == word
    return since


@given(looks)
def test_what_lasts_is_told_in_the_end(given_looks: list[Look]) -> None:
    book, now = Book(), START
    for seconds, said in given_looks:
        now += timedelta(seconds=seconds)
        book.look(readings(said), now)
    for word, state in (("fires", ACTIVE), ("over", RESOLVED)):
        for _ in range(4):
            now += timedelta(seconds=60)
            book.look(readings(dict.fromkeys(QUESTIONS, word)), now)
        newest = {one.question: one for one in sorted(book.alerts.values(), key=lambda one: int(one.id))}
        assert {newest[question].state for question in QUESTIONS} == {state}
    assert PENDING not in {one.state for one in book.alerts.values()}


def test_a_rule_that_is_gone_takes_its_alerts_along() -> None:
    book = Book()
    book.look(readings({("now", "a", "x"): "fires"}), START)
    (alert,) = book.alerts.values()
    (one,) = advance([alert], [], RULES[1:], About("e", "o", "k"), START, str)
    assert (one.told, one.alert.state) == ("resolved", RESOLVED)
    assert "not in force" in one.alert.reason
