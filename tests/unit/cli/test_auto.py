"""``auto``: says what is done, what would be, and why not."""

from __future__ import annotations

import json
import re

import pytest

from commands import Run
from sortition.rpc.v1 import admin_pb2
from unit.cli.sidecar import Canned

ROLLBACK = admin_pb2.AutomaticStep(
    key="search",
    organization="default",
    act="AUTOMATIC_ACT_ROLLBACK",
    variant="old",
    reasons=["new: found −66.7 %, worse by 40 % at least"],
    allowed=True,
)
WAITS = admin_pb2.AutomaticStep(
    key="ranking", organization="default", act="AUTOMATIC_ACT_CONTINUE", missing=["700 more sessions"]
)


def step(**changes: object) -> admin_pb2.RunAutomaticResponse:
    found = admin_pb2.AutomaticStep()
    found.CopyFrom(ROLLBACK)
    found.MergeFrom(admin_pb2.AutomaticStep(**changes))  # type: ignore[arg-type]
    return admin_pb2.RunAutomaticResponse(steps=[found])


def test_a_dry_run_says_what_would_be_done_and_what_is_missing(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Admin/RunAutomatic", admin_pb2.RunAutomaticResponse(steps=[ROLLBACK, WAITS]))
    ended = run("auto", "--once", "--dry-run", "--actor", "ada", "--reason", "to see")
    assert ended.code == 0
    assert [re.sub(r"\s+", " ", line).strip() for line in ended.out.splitlines()] == [
        "search rollback to old would be done",
        "new: found −66.7 %, worse by 40 % at least",
        "ranking continue",
        "missing: 700 more sessions",
    ]
    (asked,) = sidecar.asked
    assert (asked.dry_run, asked.key, asked.actor.name, asked.actor.reason) == (True, "", "ada", "to see")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (step(decision_id="d1"), "done, decision d1"),
        (step(refused="it is over"), "refused: it is over"),
        (admin_pb2.RunAutomaticResponse(), "no experiment runs or is paused"),
    ],
)
def test_it_says_how_it_ended(run: Run, sidecar: Canned, answer: admin_pb2.RunAutomaticResponse, said: str) -> None:
    sidecar.answers("Admin/RunAutomatic", answer)
    assert said in run("auto", "--once").out


def test_what_the_policy_does_not_allow_names_the_field(run: Run, sidecar: Canned) -> None:
    forbidden = step()
    forbidden.steps[0].allowed = False
    sidecar.answers("Admin/RunAutomatic", forbidden)
    assert "not done: the policy does not say auto_rollback: true" in run("auto", "search", "--once").out
    assert sidecar.asked[0].key == "search"


def test_json_is_one_line_for_each_look(run: Run, sidecar: Canned) -> None:
    sidecar.answers("Admin/RunAutomatic", step(decision_id="d1"))
    (line,) = run("auto", "--once", "-o", "json").out.splitlines()
    assert json.loads(line)["steps"][0]["decision_id"] == "d1"
