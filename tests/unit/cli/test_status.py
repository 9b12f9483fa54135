"""What ``status`` asks for, and the shape of its JSON."""

from __future__ import annotations

import pytest

from commands import Run
from sortition.rpc.v1 import analysis_pb2
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus
from unit.cli.sidecar import Canned
from unit.cli.test_watch import COMPLETED, RUNNING, listed, report

UNDER_WAY = [ExperimentStatus.EXPERIMENT_STATUS_RUNNING, ExperimentStatus.EXPERIMENT_STATUS_PAUSED]
OVER = [ExperimentStatus.EXPERIMENT_STATUS_COMPLETED, ExperimentStatus.EXPERIMENT_STATUS_CANCELLED]


def answer(sidecar: Canned, *pages: analysis_pb2.ListStatusResponse) -> None:
    sidecar.answers("Analysis/ListStatus", *pages)
    sidecar.answers("Analysis/Summarize", analysis_pb2.Summary(finished=3, won=1, success_rate=1 / 3))


def test_all_of_them(run: Run, sidecar: Canned) -> None:
    answer(sidecar, listed(report(RUNNING, "one")), listed(report(COMPLETED, "two")))
    ended = run("status", "--volume", "120000", "--since", "2026-01-31", "--subject", "agent/a", "--organization", "o")
    assert ended.code == 0
    titles = [line for line in ended.out.splitlines() if line in ("under way", "over", "all together")]
    assert titles == ["under way", "over", "all together"]
    assert "█████░░░░░  50 %" in ended.out
    assert "1 of 3 shipped their winner" in ended.out
    summarized, first, second = sidecar.asked
    assert (list(first.statuses), list(second.statuses)) == (UNDER_WAY, OVER)
    assert summarized.monthly_volume == 120_000
    for each in sidecar.asked:
        assert (each.organization, each.subject.kind, each.subject.id) == ("o", "agent", "a")
        assert each.since.ToJsonString() == "2026-01-31T00:00:00Z"


def test_the_shape_of_the_json_stays(run: Run, sidecar: Canned) -> None:
    answer(sidecar, listed(report(RUNNING, "one")), listed(report(COMPLETED, "two")))
    document = run("status", "-o", "json").document
    assert list(document) == ["reports", "next_page_token", "finished", "finished_next_page_token", "summary"]
    assert document["reports"][0]["experiment"]["spec"]["key"] == "one"
    assert "ending" not in document["reports"][0]
    assert document["finished"][0]["ending"] == {
        "kind": "ENDING_KIND_SHIPPED", "automatic": False, "variant": "combined", "forced": False,
        "taken_back": False, "reasons": [], "decision_id": "",
    }  # fmt: skip
    assert list(document["summary"]) == [
        "drafts", "running", "paused", "finished", "won", "shipped", "rolled_back", "expired", "not_shipped",
        "cancelled", "archived", "success_rate", "confidence", "gains", "remarks",
    ]  # fmt: skip


def test_pages_are_taken_one_after_the_other(run: Run, sidecar: Canned) -> None:
    full = listed(*(report(COMPLETED, f"e{number}") for number in range(100)))
    full.next_page_token = "more"
    rest = listed(*(report(COMPLETED, f"f{number}") for number in range(20)))
    rest.next_page_token = "still-more"
    answer(sidecar, full, rest)
    ended = run("status", "--status", "completed", "--limit", "120", "-o", "json")
    assert len(ended.document["finished"]) == 120
    assert ended.document["finished_next_page_token"] == "still-more"
    asked = sidecar.asked[1:]
    assert [(each.page_size, each.page_token) for each in asked] == [(100, ""), (20, "more")]
    assert ended.err == "there are more: --limit, or --status completed --page-token still-more\n"


def test_going_on_with_what_is_under_way_is_as_it_was(run: Run, sidecar: Canned) -> None:
    answer(sidecar, listed(report(RUNNING, "one")))
    document = run("status", "--page-token", "t", "-o", "json").document
    assert [list(each.statuses) for each in sidecar.asked] == [UNDER_WAY]
    assert (document["finished"], document["summary"]) == ([], None)


def test_none(run: Run, sidecar: Canned) -> None:
    answer(sidecar, listed())
    assert run("status", "--status", "running", "--page-token", "t").out == "no experiment\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "yesterday"], "how long ago such as 30d"),
        (["--since", "2026-02-30"], "must be a date"),
        (["--since", "999999w"], "must be a date"),
        (["--status", "done"], "must be one of draft"),
        (["--volume", "-1"], "--volume"),
    ],
)
def test_refusals(run: Run, sidecar: Canned, options: list[str], said: str) -> None:
    ended = run("status", *options)
    assert (ended.code, sidecar.asked) == (2, [])
    assert said in ended.err
