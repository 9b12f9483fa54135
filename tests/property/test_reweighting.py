"""Changes of weights: as few moves as can be, exposed units stay, and all sidecars agree."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fleets import Fleet, Sidecar, fresh_database, spec_with
from sortition.lifecycle.allocation import first_allocation, moved_buckets, next_allocation
from sortition.store.records import AllocationRecord

BUCKETS = 10_000


@st.composite
def weightings(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Draws the weights of 2 to 6 variants in basis points, several times."""
    variants = draw(st.integers(2, 6))
    cuts = st.lists(st.integers(0, BUCKETS), min_size=variants - 1, max_size=variants - 1).map(sorted)
    found = draw(st.lists(cuts, min_size=2, max_size=8))
    return [tuple(b - a for a, b in zip([0, *cut], [*cut, BUCKETS], strict=True)) for cut in found]


def first(weights: tuple[int, ...]) -> AllocationRecord:
    return first_allocation(spec_with({f"v{index}": weight / 100 for index, weight in enumerate(weights)}))


def owners(allocation: AllocationRecord) -> list[int]:
    found: list[int] = []
    for end, variant in allocation.ranges:
        found += [variant] * (end - len(found))
    return found


@given(weightings())
@settings(max_examples=60, deadline=None)
def test_churn_is_the_theoretical_minimum(steps: list[tuple[int, ...]]) -> None:
    before, weights = first(steps[0]), steps[0]
    for wanted in steps[1:]:
        after = next_allocation(before, wanted)
        least = sum(max(0, had - gets) for had, gets in zip(weights, wanted, strict=True))
        assert moved_buckets(before, after) == least
        assert after.weights(len(wanted)) == wanted
        ends = [end for end, _ in after.ranges]
        assert (ends, ends[-1], after.generation) == (sorted(set(ends)), BUCKETS, before.generation + 1)
        before, weights = after, wanted


@given(weightings())
@settings(max_examples=30, deadline=None)
def test_whoever_shrinks_gives_up_the_highest_and_whoever_grows_keeps_all(steps: list[tuple[int, ...]]) -> None:
    before, wanted = first(steps[0]), steps[1]
    earlier, later = owners(before), owners(next_allocation(before, wanted))
    for variant, (had, gets) in enumerate(zip(steps[0], wanted, strict=True)):
        mine = [bucket for bucket in range(BUCKETS) if earlier[bucket] == variant]
        assert [bucket for bucket in mine if later[bucket] != variant] == mine[min(had, gets) :]


def test_the_buckets_that_move_are_those_that_the_rule_names() -> None:
    """Three variants, worked out by hand: b gives up its two highest buckets, which go to a and then to c."""
    before = AllocationRecord(1, ((3000, 0), (6000, 1), (10_000, 2)))
    after = next_allocation(before, (3001, 2998, 4001))
    assert after.ranges == ((3000, 0), (5998, 1), (5999, 0), (10_000, 2))


WEIGHTS = st.sampled_from([(90, 10), (50, 50), (10, 90), (99, 1), (0, 100), (33.33, 66.67)])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), st.integers(0, 2), st.integers(0, 60)),
        st.tuples(st.just("assign"), st.integers(0, 2), st.integers(0, 60)),
        st.tuples(st.just("record"), st.integers(0, 2), st.integers(0, 60)),
        st.tuples(st.sampled_from(["flush", "tick", "restart", "restart alone"]), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.just(0)),
        st.tuples(st.just("reweight"), st.integers(0, 2), WEIGHTS),
    ),
    min_size=20,
    max_size=100,
)


@given(ACTS)
@settings(max_examples=20, deadline=None)
def test_exposed_units_never_move_and_all_sidecars_agree(acts: list[tuple[str, int, object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        db = fresh_database(Path(directory))
        try:
            exposed, answers, crossed = run(Fleet(db, Path(directory)), acts)
        finally:
            db.close()
    assert answers[0] == answers[1] == answers[2]
    assert {unit: answers[0][unit] for unit in exposed} == exposed
    assert crossed == 0


def run(fleet: Fleet, acts: list[tuple[str, int, object]]) -> tuple[dict[str, str], list[dict[str, str | None]], int]:
    """Returns who was exposed to what, what each sidecar answers in the end, and how many met several variants."""
    exposed: dict[str, str] = {}
    sidecars = [fleet.add() for _ in range(3)]
    sidecars[0].create(spec_with({"old": 80, "new": 20}))
    for one in sidecars:
        one.refresh()

    def ask(one: Sidecar, unit: str) -> None:
        answer = one.assign(unit)
        assert answer.variant is not None
        if unit in exposed:
            assert answer.variant == exposed[unit], "it was exposed to another variant"
        elif answer.exposed:
            exposed[unit] = answer.variant

    for act, place, what in acts:
        one = sidecars[place]
        if act == "assign":
            ask(one, f"unit-{what}")
        elif act == "record":
            # Behind its own answer, as an agent does.
            unit = f"unit-{what}"
            answer = one.assign(unit, expose=False)
            assert answer.variant is not None
            assert one.record(unit, True, answer.variant).accepted == 1
        elif act == "flush":
            one.flush()
        elif act == "tick":
            one.tick()
        elif act == "restart":
            one.restart()
        elif act == "restart alone":
            one.restart(with_database=False)
            one.refresh()
        elif act == "wait":
            # Within the time that is announced, everybody has seen it and flushed: that is what the time is for.
            for each in sidecars:
                each.refresh()
                each.flush()
            fleet.pass_time(20)
        else:
            assert isinstance(what, tuple)
            weights = dict(zip(("old", "new"), what, strict=True))
            if one.stored().announced is None:
                one.reweight(**weights)
    fleet.settle()
    answers = [{unit: one.assign(unit).variant for unit in (f"unit-{n}" for n in range(200))} for one in sidecars]
    for one in sidecars:
        one.flush()
    hashes = {bytes(one.engine.snapshot_hash) for one in sidecars}
    assert len(hashes) == 1
    assert sidecars[0].stored().announced is None
    return exposed, answers, sidecars[0].data().crossed
