"""Alerts over a database: told once each way, by every channel, whoever leads and whatever dies in between."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sortition.errors import Conflict, Unavailable
from sortition.lifecycle.alerts import LOG, WEBHOOK, AlertBook, Courier, Watch
from sortition.lifecycle.alerts.book import LEASE
from sortition.lifecycle.alerts.retries import MAX_ATTEMPTS
from sortition.model import ExperimentStatus, JsonObject
from sortition.model.alert import Rule, Rules, Trigger
from sortition.store import leases
from sortition.store.alerts import GIVEN_UP, SENT, WAITING
from sortition.store.schema import alert_deliveries
from unit.lifecycle.world import World

KEY = "search-strategy"
WORSE = {"old": 0.9, "new": 0.3}
ALIKE = {"old": 0.9, "new": 0.9}
RULES = Rules(rules=(Rule(name="worse", trigger=Trigger.REGRESSION, resolve_s=60),))


class Taking:
    """A receiver in this process, which refuses, or dies, as a test says."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.tried = 0
        self.fails: Callable[[], None] = lambda: None

    def send(self, id: str, payload: JsonObject, at: int) -> None:
        self.tried += 1
        self.fails()
        self.got.append((id, str(payload["type"])))

    def refuse(self) -> None:
        def fail() -> None:
            raise Unavailable("no")

        self.fails = fail


class Dies(BaseException):
    """As if the process had ended here."""


class Sidecar:
    """The loops of one sidecar, without threads, with a clock of its own."""

    def __init__(self, world: World, rules: Rules = RULES, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.world = world
        self.taking = Taking()
        self.book = AlertBook(
            world.db, rules, flush=world._flush, now=lambda: world.now, channels=(LOG, WEBHOOK)
        )  # fmt: skip
        senders = {LOG: Taking(), WEBHOOK: self.taking}
        self.courier = Courier(world.db, senders, now=lambda: world.now, chance=random.Random(1))
        self.watch = Watch(world.db, self.book, self.courier, interval_s=1, lease_s=5, clock=lambda: self.seconds)

    def tick(self, later_s: float = 1.0) -> None:
        self.seconds += later_s
        self.world.pass_time(seconds=later_s)
        self.watch.tick()

    def look(self) -> list[str]:
        """Looks at once, whoever leads."""
        record = self.world.experiments.get("default", KEY)
        return [one.told for one in self.book.evaluate(record)]


def begin(world: World, **policy: Any) -> None:
    world.standing(ExperimentStatus.RUNNING, decision={"min_samples": 100, **policy})


def deliveries(world: World) -> list[tuple[str, str, int]]:
    with world.db.read() as tx:
        found = tx.execute(alert_deliveries.select().order_by(alert_deliveries.c.created_at)).all()
    return [(row.channel, row.state, row.attempts) for row in found]


def test_an_alert_is_told_once_and_so_is_its_end(world: World) -> None:
    begin(world)
    one = Sidecar(world)
    one.tick()
    assert one.watch.leads
    world.run(WORSE)
    world._flush()
    for _ in range(5):
        one.tick()
        one.watch.send()
    assert [told for _, told in one.taking.got] == ["alert.opened"]
    (alert,), _ = one.book.listing(limit=10)
    assert (alert.rule, alert.variant, alert.metric, alert.state) == ("worse", "new", "found", "active")
    # What was worse gets better, by so much that the estimate is within the limit.
    world.run_from({"old": 0.3, "new": 0.95}, 300, 1500)
    world._flush()
    one.tick()
    assert one.book.listing(limit=10)[0], "it has to be over for a minute"
    for _ in range(3):
        one.tick(31)
        one.watch.send()
    assert [told for _, told in one.taking.got] == ["alert.opened", "alert.resolved"]
    assert [id for id, _ in one.taking.got] == [f"alert_{alert.id}_opened", f"alert_{alert.id}_resolved"]
    assert not one.book.listing(limit=10)[0]
    assert [one.state for one in one.book.listing(limit=10, active=False)[0]] == ["resolved"]
    told = [(actor, action) for actor, action, _ in world.log() if action.startswith("alert.")]
    assert told == [("sortition", "alert.opened"), ("sortition", "alert.resolved")]
    assert one.watch.counters()["alerts_opened"] == one.watch.counters()["alerts_resolved"] == 1


def test_another_leader_tells_nothing_twice(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one, other = Sidecar(world), Sidecar(world, seconds=500)
    one.tick()
    one.watch.send()
    assert len(one.taking.got) == 1
    for _ in range(8):
        other.tick()
        other.watch.send()
    assert other.watch.leads
    assert not other.taking.got
    assert deliveries(world) == [("log", SENT, 1), ("webhook", SENT, 1)] or deliveries(world) == [
        ("webhook", SENT, 1),
        ("log", SENT, 1),
    ]


def test_a_leader_that_dies_between_looking_and_telling_is_followed_by_one_that_tells(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one, other = Sidecar(world), Sidecar(world)
    one.tick()
    # Here it dies: what it has seen is written down, and nobody was told.
    assert {state for _, state, _ in deliveries(world)} == {WAITING}
    for _ in range(8):
        other.tick()
        other.watch.send()
    assert [told for _, told in other.taking.got] == ["alert.opened"]


def test_what_a_death_left_undecided_is_sent_again_with_the_same_id(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one, other = Sidecar(world), Sidecar(world)
    one.tick()

    def die() -> None:
        # The receiver has taken it, and nobody knows.
        one.taking.got.append(("taken", "alert.opened"))
        raise Dies

    one.taking.fails = die
    with pytest.raises(Dies):
        one.watch.send()
    # While the attempt may still be under way nobody else makes it.
    other.tick()
    other.tick(6)
    other.tick(6)
    assert other.watch.leads
    assert not other.taking.tried
    world.pass_time(seconds=20)
    other.watch.send()
    ((id, _),) = other.taking.got
    (alert,), _ = other.book.listing(limit=10)
    assert id == f"alert_{alert.id}_opened"


def test_one_that_slept_through_the_loss_of_its_lease_writes_and_sends_nothing(world: World) -> None:
    begin(world)
    one, other = Sidecar(world), Sidecar(world)
    one.tick()
    with world.db.read() as tx:
        old = leases.read(tx, LEASE)
    other.tick()
    other.tick(6)
    other.tick(6)
    assert other.watch.leads
    world.run(WORSE)
    world._flush()
    record = world.experiments.get("default", KEY)
    with pytest.raises(Conflict):
        one.book.evaluate(record, old)
    assert not other.book.listing(limit=10)[0]
    other.tick()
    with pytest.raises(Conflict):
        one.watch.send()
    assert not one.taking.tried
    assert not one.watch.leads


def test_a_receiver_that_fails_is_tried_again_later_and_later(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one = Sidecar(world)
    one.tick()
    one.taking.refuse()
    one.watch.send()
    one.watch.send()
    assert one.taking.tried == 1, "the pause is not over"
    waited = 0
    while one.taking.tried < 6:
        world.pass_time(seconds=1)
        one.watch.send()
        waited += 1
    assert 8 < waited < 40
    one.taking.fails = lambda: None
    for _ in range(40):
        world.pass_time(seconds=1)
        one.watch.send()
    assert len(one.taking.got) == 1


def test_a_receiver_that_never_takes_is_given_up(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one = Sidecar(world)
    one.tick()
    one.taking.refuse()
    for _ in range(200):
        world.pass_time(minutes=15)
        one.watch.send()
    assert one.taking.tried == MAX_ATTEMPTS
    assert ("webhook", GIVEN_UP, MAX_ATTEMPTS) in deliveries(world)
    assert one.watch.counters()["alerts_given_up"] == 1
    # The alert itself is there all the same.
    assert one.book.listing(limit=10)[0]


def test_the_end_waits_for_the_beginning(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one = Sidecar(world)
    one.tick()
    one.taking.refuse()
    while one.taking.tried < 9:
        world.pass_time(seconds=10)
        one.watch.send()
    # Its next attempt is more than two minutes away; the end could be sent at once.
    world.experiments.cancel("default", KEY, world.ann)
    one.tick(31)
    assert not one.book.listing(limit=10)[0]
    one.taking.fails = lambda: None
    one.watch.send()
    assert not one.taking.got
    for _ in range(10):
        world.pass_time(seconds=30)
        one.watch.send()
    assert [told for _, told in one.taking.got] == ["alert.opened", "alert.resolved"]


def test_what_is_over_before_it_has_lasted_is_never_told(world: World) -> None:
    begin(world)
    rules = Rules(rules=(Rule(name="worse", trigger=Trigger.REGRESSION, hold_s=300),))
    one = Sidecar(world, rules)
    world.run(WORSE)
    world._flush()
    assert one.look() == []
    assert not one.book.listing(limit=10, active=False)[0]
    world.run_from({"old": 0.3, "new": 0.95}, 300, 1500)
    world._flush()
    world.pass_time(seconds=301)
    assert one.look() == []
    assert not world.dump()["alerts"]


def test_nobody_leads_and_nothing_is_written_where_nothing_runs(world: World) -> None:
    before = world.dump()
    one = Sidecar(world)
    for _ in range(3):
        one.tick()
    assert not one.watch.leads
    assert world.dump() == before


def test_a_check_changes_nothing(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one, before = Sidecar(world), world.dump()
    ((record, readings),) = one.book.check()
    assert record.spec.key == KEY
    assert [reading.firing for reading in readings] == [True]
    assert world.dump() == before


def test_pages_follow_one_another(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    rules = Rules(rules=tuple(Rule(name=f"worse-{place}", trigger=Trigger.REGRESSION) for place in range(7)))
    one = Sidecar(world, rules)
    one.look()
    found, token = [], ""
    for _ in range(4):
        page, token = one.book.listing(limit=2, after=token)
        found += [alert.rule for alert in page]
    assert token == ""
    assert sorted(found) == [f"worse-{place}" for place in range(7)]
    assert one.book.listing(limit=10, experiment="another")[0] == []
    assert len(one.book.listing(limit=10, organization="default")[0]) == 7
    assert one.book.listing(limit=10, organization="another")[0] == []


def test_what_was_sent_is_forgotten_after_a_month_and_the_alert_stays(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one = Sidecar(world)
    one.tick()
    one.watch.send()
    world.now += timedelta(days=29)
    one.courier.prune()
    assert deliveries(world)
    world.now += timedelta(days=2)
    one.courier.prune()
    assert not deliveries(world)
    assert one.book.listing(limit=10)[0]


def test_two_who_look_at_once_open_one_alert(world: World) -> None:
    begin(world)
    world.run(WORSE)
    world._flush()
    one, other = Sidecar(world), Sidecar(world)
    assert one.look() == ["opened"]
    world.pass_time(seconds=1)
    assert other.look() == []
    assert len(world.dump()["alerts"]) == 1
