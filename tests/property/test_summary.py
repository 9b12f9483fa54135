"""A summary is that of all experiments, however many are read at a time, in whatever parts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sortition.analyzer.result import Interval
from sortition.lifecycle.endings import endings
from sortition.lifecycle.summary import Summary, Tally, summarize
from sortition.model import ExperimentStatus
from sortition.store import Database, experiments, sqlite_url
from store_samples import NOW, later
from summaries import decided, finished, keep

ORGANIZATIONS = count()
ACTS = st.sampled_from(["promote", "rollback", "expire", ""])
FIGURES = st.floats(-1e6, 1e6)
# How it stands, what ended it, its metric, its difference and the distances to the ends of its interval.
ONE = st.fixed_dictionaries(
    {
        "status": st.sampled_from(list(ExperimentStatus)),
        "act": ACTS,
        "metric": st.sampled_from(["time", "cost"]),
        "difference": FIGURES,
        "below": st.floats(0, 1e3),
        "above": st.floats(0, 1e3) | st.just(math.nan),
        "archived": st.booleans(),
        "winner": st.sampled_from(["new", ""]),
    }
)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    found = Database.open(sqlite_url(tmp_path_factory.mktemp("summaries") / "sortition.db"))
    yield found
    found.close()


def store(db: Database, ones: list[dict[str, Any]]) -> str:
    """Stores experiments of an organization of their own; returns its name."""
    organization = f"o{next(ORGANIZATIONS)}"
    running = False
    for number, one in enumerate(ones):
        # Only one runs on a subject.
        status = one["status"]
        if status is ExperimentStatus.RUNNING and running:
            status = ExperimentStatus.PAUSED
        running = running or status is ExperimentStatus.RUNNING
        record = finished(f"e{number}", organization=organization, metric=one["metric"])
        over = status in (ExperimentStatus.COMPLETED, ExperimentStatus.CANCELLED)
        shipped = int(status is ExperimentStatus.COMPLETED and one["act"] == "promote")
        record = replace(
            record, status=status, ended_at=NOW if over else None, shipped_version=shipped,
            archived_at=NOW if over and one["archived"] else None,
        )  # fmt: skip
        decision = decided(
            record, one["difference"], (one["difference"] - one["below"], one["difference"] + one["above"]),
            winner=one["winner"], act=one["act"],
        )  # fmt: skip
        keep(db, record, decision if status is ExperimentStatus.COMPLETED else None, seconds=number)
    return organization


@settings(deadline=None, max_examples=40)
@given(ones=st.lists(ONE, max_size=9), page=st.integers(1, 10))
def test_pages_make_no_difference(db: Database, ones: list[dict[str, Any]], page: int) -> None:
    organization = store(db, ones)
    whole = summarize(db, organization=organization)
    paged = summarize(db, organization=organization, page=page)
    # NaN, the rate of nothing, is not equal to itself.
    assert (paged.tally, paged.gains, paged.remarks) == (whole.tally, whole.gains, whole.remarks)
    assert repr(paged) == repr(whole)
    alone = Tally()
    with db.read() as tx:
        records, _ = experiments.listing(tx, organization=organization, include_archived=True, limit=100, after="")
        ended = endings(tx, records)
    for record in records[::-1]:
        alone = alone.merge(Tally.of(record, ended.get(record.id)))
    assert Summary.of(alone).gains == whole.gains
    assert alone == whole.tally


@settings(deadline=None, max_examples=40)
@given(ones=st.lists(ONE, max_size=9))
def test_the_figures_are_those_of_a_small_model(db: Database, ones: list[dict[str, Any]]) -> None:
    summary = summarize(db, organization=store(db, ones))
    done = [one for one in ones if one["status"] is ExperimentStatus.COMPLETED]
    shipped = [one for one in done if one["act"] == "promote"]
    won = sum(one["winner"] == "new" for one in shipped)
    assert (summary.finished, summary.tally.won) == (len(done), won)
    if done:
        interval = stats.binomtest(won, len(done)).proportion_ci(method="wilson")
        assert summary.success_rate == won / len(done)
        assert summary.success_interval == pytest.approx((interval.low, interval.high), abs=1e-12)
    else:
        assert math.isnan(summary.success_rate)
    for key, gain in summary.gains:
        mine = [one for one in shipped if one["metric"] == key.metric]
        known = [one for one in mine if math.isfinite(one["above"])]
        assert (gain.total.count, gain.unknown) == (len(known), len(mine) - len(known))
        assert gain.total.sum == sum((Fraction(one["difference"]) for one in known), Fraction(0))
        below = math.sqrt(sum(one["below"] ** 2 for one in known))
        assert gain.total.lower == pytest.approx(gain.total.value - below, rel=1e-9, abs=1e-6)


def test_since_leaves_out_what_had_ended_before(db: Database) -> None:
    organization = f"o{next(ORGANIZATIONS)}"
    for number in range(4):
        record = finished(f"e{number}", organization=organization, ended_at=later(number))
        keep(db, record, decided(record, act=""), seconds=number)
    keep(db, replace(finished("d", organization=organization), status=ExperimentStatus.DRAFT, ended_at=None))
    found = summarize(db, organization=organization, since=later(2), page=1)
    assert (found.finished, found.tally.statuses[ExperimentStatus.DRAFT]) == (2, 1)


def test_intervals_of_other_confidences_are_brought_to_one(db: Database) -> None:
    """A standard error of 1: whatever the confidence of the stored interval, the summary's is at 95 %."""
    organization = f"o{next(ORGANIZATIONS)}"
    for number, confidence in enumerate((0.95, 0.99, 0.8)):
        half = stats.norm.ppf(0.5 + confidence / 2)
        record = finished(f"e{number}", organization=organization, shipped_version=1)
        keep(db, record, decided(record, -5.0, (-5.0 - half, -5.0 + half), confidence=confidence), seconds=number)
    ((_, gain),) = summarize(db, organization=organization).gains
    half = stats.norm.ppf(0.975) * math.sqrt(3)
    assert Interval(gain.total.lower, gain.total.upper) == pytest.approx((-15 - half, -15 + half))


def test_only_a_page_is_held(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of experiments are read a page at a time, each page in one read of its own."""
    organization = f"o{next(ORGANIZATIONS)}"
    for number in range(230):
        record = finished(f"e{number}", organization=organization)
        keep(db, record, decided(record, act=""), seconds=number)
    pages: list[int] = []
    reads = count()
    listing, read = experiments.listing, db.read

    def listed(*given: Any, **named: Any) -> Any:
        found = listing(*given, **named)
        pages.append(len(found[0]))
        return found

    def reading() -> Any:
        next(reads)
        return read()

    monkeypatch.setattr(experiments, "listing", listed)
    monkeypatch.setattr(db, "read", reading)
    assert summarize(db, organization=organization).finished == 230
    assert (pages, next(reads)) == ([100, 100, 30], 3)
