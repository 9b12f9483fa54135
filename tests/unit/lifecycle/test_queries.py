"""Questions flush first, and change nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sortition.errors import NotFound, StoreUnavailable
from sortition.lifecycle import Experiments
from sortition.model import ExperimentStatus, SubjectRef
from unit.lifecycle.world import World

Question = Callable[[Experiments, str], object]
QUESTIONS: dict[str, Question] = {
    "analyze": lambda experiments, key: experiments.analyze("default", key),
    "status": lambda experiments, key: experiments.status("default", key),
    "series": lambda experiments, key: experiments.series("default", key),
    "power": lambda experiments, key: experiments.power("default", key),
    "distribution": lambda experiments, key: experiments.distribution("default", key),
    "power curve": lambda experiments, key: experiments.power_curve("default", key),
    "full_report": lambda experiments, key: experiments.full_report("default", key),
}


def test_what_was_just_recorded_is_seen(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    world.run({"old": 0.5, "new": 0.5}, units=40)
    assert world.experiments.analyze("default", "search-strategy").units == 40
    world.pass_time(hours=1)
    report = world.experiments.status("default", "search-strategy")
    assert (report.analysis.units, report.progress, report.running_seconds) == (40, 0.4, 3600)
    assert report.todo == ("60 more sessions",)
    metric, points = world.experiments.series("default", "search-strategy")
    assert metric == "found"
    assert sum(point.n for point in points) == 40
    assert world.experiments.power("default", "search-strategy").units_total > 0


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_each_question_flushes_and_changes_nothing(world: World, question: Question) -> None:
    world.standing(ExperimentStatus.RUNNING)
    stored = world.dump()
    world.events.clear()
    question(world.experiments, "search-strategy")
    assert world.events == ["flush"]
    assert world.dump() == stored
    with pytest.raises(NotFound, match="no experiment 'other'"):
        question(world.experiments, "other")


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_an_answer_without_the_last_records_is_none(world: World, question: Question) -> None:
    world.standing(ExperimentStatus.RUNNING)

    def away() -> None:
        raise StoreUnavailable("the database is away")

    with pytest.raises(StoreUnavailable):
        question(Experiments(world.db, flush=away, changed=lambda: None, now=lambda: world.now), "search-strategy")


@pytest.mark.parametrize("status", ExperimentStatus)
def test_an_experiment_can_be_asked_about_in_every_status(world: World, status: ExperimentStatus) -> None:
    world.standing(status)
    for question in QUESTIONS.values():
        assert question(world.experiments, "search-strategy") is not None
    assert world.experiments.status("default", "search-strategy").record.status is status


def test_a_metric_that_is_not_declared(world: World) -> None:
    world.create()
    with pytest.raises(NotFound, match="has no metric 'lost'; it has found"):
        world.experiments.series("default", "search-strategy", "lost")


def test_reports_are_of_what_is_live_unless_asked_otherwise(world: World) -> None:
    for status in ExperimentStatus:
        world.pass_time(minutes=1)
        world.standing(status, key=str(status), subject=SubjectRef(kind="agent", id=f"of-{status}"))
    reports, token = world.experiments.statuses(limit=10)
    assert [report.record.spec.key for report in reports] == ["paused", "running"]
    assert token == ""
    reports, token = world.experiments.statuses(statuses=list(ExperimentStatus), limit=3)
    rest, end = world.experiments.statuses(statuses=list(ExperimentStatus), limit=3, after=token)
    newest_first = [str(status) for status in reversed(list(ExperimentStatus))]
    assert [report.record.spec.key for report in (*reports, *rest)] == newest_first
    assert end == ""
    assert world.experiments.statuses(organization="acme", limit=10) == ([], "")


def test_lists_are_filtered(world: World) -> None:
    world.create()
    world.standing(ExperimentStatus.RUNNING, key="of-a-prompt", subject=SubjectRef(kind="prompt", id="p"))
    world.standing(ExperimentStatus.CANCELLED, key="hidden", archived=True)
    world.create(organization="acme")

    def keys(**filters: object) -> set[tuple[str, str]]:
        found, _ = world.experiments.listing(limit=10, **filters)  # type: ignore[arg-type]
        return {(record.spec.organization, record.spec.key) for record in found}

    everything = {("default", "search-strategy"), ("default", "of-a-prompt"), ("acme", "search-strategy")}
    assert keys() == everything
    assert keys(include_archived=True) == everything | {("default", "hidden")}
    assert keys(organization="acme") == {("acme", "search-strategy")}
    assert keys(subject_kind="prompt") == {("default", "of-a-prompt")}
    assert keys(subject_id="search-agent", organization="default") == {("default", "search-strategy")}
    assert keys(statuses=[ExperimentStatus.RUNNING]) == {("default", "of-a-prompt")}
