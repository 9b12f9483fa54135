"""What the audit log says of callers with tokens, and of those who were turned away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from secure import make_tokens, stubs_with
from sidecars import KEY, TIMEOUT_S, Stubs, connected, locked, make_spec, running
from sortition.api.roles import Role
from sortition.api.tokens import create_token, revoke_token
from sortition.rpc.v1 import admin_pb2, assignment_pb2
from waiting import wait_until


def events(stubs: Stubs, **wanted: Any) -> list[admin_pb2.AuditEvent]:
    request = admin_pb2.ListAuditEventsRequest(**wanted)
    found: list[admin_pb2.AuditEvent] = list(stubs.admin.ListAuditEvents(request, timeout=TIMEOUT_S).events)
    return found


def counted(found: list[admin_pb2.AuditEvent]) -> int:
    counts: list[Any] = [event.details["count"] for event in found]
    return int(sum(counts))


def test_acts_are_the_tokens_and_not_those_of_whoever_is_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as plain:
        admin = stubs_with(plain.channel, tokens.admin)
        pretended = admin_pb2.Actor(name="the-boss", reason="because")
        admin.admin.CreateExperiment(
            admin_pb2.CreateExperimentRequest(spec=make_spec(), actor=pretended), timeout=TIMEOUT_S
        )
        admin.admin.StartExperiment(admin_pb2.ChangeExperimentRequest(key=KEY), timeout=TIMEOUT_S)
        (created,) = events(admin, action="experiment.create")
        assert (created.actor, created.reason) == ("ada-laptop", "because")
        assert created.details["claimed_actor"] == "the-boss"
        (started,) = events(admin, action="experiment.start")
        assert started.actor == "ada-laptop"
        assert "claimed_actor" not in started.details
        with pytest.raises(grpc.RpcError) as caught:
            admin.admin.PauseExperiment(
                admin_pb2.ChangeExperimentRequest(key=KEY, actor=admin_pb2.Actor(name="x" * 129)), timeout=TIMEOUT_S
            )
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, "what it claims is stored, and so is bounded"


def test_denied_calls_are_written_once_with_their_number(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as plain:
        admin, agent = stubs_with(plain.channel, tokens.admin), stubs_with(plain.channel, tokens.agent)
        for _ in range(50):
            with pytest.raises(grpc.RpcError):
                plain.assignment.Assign(assignment_pb2.AssignRequest(), timeout=TIMEOUT_S)
        with pytest.raises(grpc.RpcError):
            agent.admin.StartExperiment(admin_pb2.ChangeExperimentRequest(key=KEY), timeout=TIMEOUT_S)

        def written() -> dict[str, list[admin_pb2.AuditEvent]]:
            found: dict[str, list[admin_pb2.AuditEvent]] = {}
            for event in events(admin, action="call.denied"):
                found.setdefault(event.object, []).append(event)
            return found

        nobody, role = "rpc/sortition.rpc.v1.Assignment/Assign", "rpc/sortition.rpc.v1.Admin/StartExperiment"
        wait_until(lambda: counted(written().get(nobody, [])) == 50 and role in written())
        assert len(written()[nobody]) <= 5, "together, not one by one"
        event = written()[nobody][0]
        assert (event.actor, event.reason, event.details["peer"]) == ("anonymous", "no token", "ipv4:127.0.0.1")
        (event,) = written()[role]
        assert (event.actor, event.reason) == ("searcher", "role agent")
        assert event.details["code"] == "PERMISSION_DENIED"
        counters = admin.admin.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S).counters
        assert counters["denied_calls"] == 51


def test_nobody_waits_for_the_database_to_be_turned_away_and_nothing_is_forgotten(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state, database_timeout_s=0.2) as service, connected(service.address) as plain:
        admin = stubs_with(plain.channel, tokens.admin)
        with locked(state / "sortition.db"):
            for _ in range(300):
                with pytest.raises(grpc.RpcError) as caught:
                    plain.assignment.Assign(assignment_pb2.AssignRequest(), timeout=2)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

        wait_until(lambda: counted(events(admin, action="call.denied")) == 300)


def test_tokens_that_come_and_go_are_written(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as plain:
        admin = stubs_with(plain.channel, tokens.admin)
        create_token(tokens.path, "new-agent", Role.AGENT)
        (event,) = wait_until(lambda: events(admin, action="token.create"), what="the event")
        assert event.object == "token/new-agent"
        assert event.actor
        revoke_token(tokens.path, "new-agent")
        (event,) = wait_until(lambda: events(admin, action="token.revoke"), what="the event")
        assert event.object == "token/new-agent"


def test_what_was_denied_last_is_written_at_the_end(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as plain, pytest.raises(grpc.RpcError):
        plain.assignment.Assign(assignment_pb2.AssignRequest(), timeout=TIMEOUT_S)
    with running(state) as service, connected(service.address) as plain:
        (event,) = events(stubs_with(plain.channel, tokens.admin), action="call.denied")
        assert event.details["count"] == 1
