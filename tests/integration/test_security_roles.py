"""Every method of the contract × everybody who may call it. The table is generated from the descriptors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from secure import NEVER, Tokens, bearer, make_tokens
from sidecars import TIMEOUT_S, Stubs, connected, reason_of, running
from sortition.api.guard import Guard
from sortition.api.roles import REQUIRED, Role
from sortition.api.server import SERVICES
from sortition.api.tokens import revoke_token
from sortition.errors import InternalError
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2, recording_pb2
from waiting import wait_until

FILES: list[Any] = [assignment_pb2, recording_pb2, admin_pb2, analysis_pb2]
METHODS: dict[str, MethodDescriptor] = {
    f"{service.full_name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
# What the specification promises; the code's own table is held against it.
AGENTS = {"sortition.rpc.v1.Assignment", "sortition.rpc.v1.Recording"}
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
REVOKED = "revoked"


class Guarded(NamedTuple):
    """A sidecar that asks for tokens."""

    stubs: Stubs
    tokens: Tokens
    state: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    state = tmp_path_factory.mktemp("roles") / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as stubs:
        assert code_of(stubs, "sortition.rpc.v1.Assignment/Expose", tokens.doomed) not in (UNAUTHENTICATED, DENIED)
        revoke_token(tokens.path, "doomed")
        wait_until(
            lambda: code_of(stubs, "sortition.rpc.v1.Assignment/Expose", tokens.doomed) is UNAUTHENTICATED, within_s=2
        )
        yield Guarded(stubs, tokens, state)


def code_of(stubs: Stubs, method: str, token: str | None) -> grpc.StatusCode:
    """Calls a method with bytes that are no request; returns the status."""
    path, bad = f"/{method}", b"\x0a\xff\xff\xff\x7f"
    try:
        if METHODS[method].client_streaming:
            list(stubs.channel.stream_stream(path, None, None)(iter([bad]), timeout=TIMEOUT_S, metadata=bearer(token)))
        else:
            stubs.channel.unary_unary(path, None, None)(bad, timeout=TIMEOUT_S, metadata=bearer(token))
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        # The class comes with the status, so that clients can raise it.
        named = {UNAUTHENTICATED: "Unauthenticated", DENIED: "PermissionDenied"}.get(code)
        return code if named is None or named == reason_of(error) else grpc.StatusCode.UNKNOWN
    return grpc.StatusCode.OK


def test_every_method_has_a_role_and_nothing_else_has() -> None:
    assert len(METHODS) >= 31
    assert {method.rpartition("/")[0] for method in METHODS} == set(SERVICES)
    ours = {method: role for method, role in REQUIRED.items() if method.startswith("sortition.")}
    assert ours.keys() == METHODS.keys(), "a new method needs a role in sortition.api.roles"
    for method, role in ours.items():
        assert role is (Role.AGENT if method.rpartition("/")[0] in AGENTS else Role.ADMIN), method


def test_what_has_no_role_is_not_served() -> None:
    guard = Guard.__new__(Guard)
    with pytest.raises(InternalError, match="has no role"):
        guard.before("sortition.rpc.v1.Admin/DropEverything", None)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("caller", ["nobody", "stranger", "agent", "admin", REVOKED, "expired"])
def test_who_may_call_what(guarded: Guarded, method: str, caller: str) -> None:
    tokens = guarded.tokens
    token = {
        "nobody": None,
        "stranger": NEVER,
        "agent": tokens.agent,
        "admin": tokens.admin,
        REVOKED: tokens.doomed,
        "expired": tokens.expired,
    }[caller]
    code = code_of(guarded.stubs, method, token)
    for_agents = method.rpartition("/")[0] in AGENTS
    if caller == "admin" or (caller == "agent" and for_agents):
        # The bytes are no request: whoever is let in hears of that; in a stream, within an answer.
        assert code is (grpc.StatusCode.OK if METHODS[method].client_streaming else grpc.StatusCode.INVALID_ARGUMENT)
    elif caller == "agent":
        assert code is DENIED
    else:
        assert code is UNAUTHENTICATED


def test_health_needs_no_token_and_reflection_needs_an_admins(guarded: Guarded) -> None:
    channel, tokens = guarded.stubs.channel, guarded.tokens
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    for token, code in ((None, UNAUTHENTICATED), (tokens.agent, DENIED)):
        with pytest.raises(grpc.RpcError) as caught:
            list(reflect(iter([asked]), metadata=bearer(token), timeout=TIMEOUT_S))
        assert caught.value.code() is code
    (answer,) = reflect(iter([asked]), metadata=bearer(tokens.admin), timeout=TIMEOUT_S)
    assert len(answer.list_services_response.service) >= 4


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "bearer {agent}", "Basic {agent}", "{agent}", "Bearer {agent} ", "Bearer {agent}{agent}"],
)
def test_what_is_nearly_a_token_is_none(guarded: Guarded, header: str) -> None:
    metadata = (("authorization", header.format(agent=guarded.tokens.agent)),)
    call = guarded.stubs.channel.unary_unary("/sortition.rpc.v1.Assignment/Assign", None, None)
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=TIMEOUT_S, metadata=metadata)
    assert caught.value.code() is UNAUTHENTICATED


def test_an_open_stream_ends_when_its_token_is_revoked(tmp_path: Path) -> None:
    state = tmp_path / "state"
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as stubs:
        open_stream: Any = stubs.channel.stream_stream("/sortition.rpc.v1.Recording/RecordStream", None, None)
        idle = open_stream(_one_and_no_end(), metadata=bearer(tokens.doomed), timeout=TIMEOUT_S)
        kept = open_stream(_one_and_no_end(), metadata=bearer(tokens.agent), timeout=TIMEOUT_S)
        assert next(idle)
        assert next(kept)
        revoke_token(tokens.path, "doomed")
        wait_until(idle.done, within_s=2, what="the end of the stream")
        assert idle.code() is grpc.StatusCode.CANCELLED
        assert not kept.done()
        kept.cancel()


def _one_and_no_end() -> Iterator[bytes]:
    """One request; the next does not come before the test is over."""
    yield b"\xff"
    threading.Event().wait(TIMEOUT_S)


def test_the_file_decides_at_the_start_whether_tokens_are_needed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as service, connected(service.address) as stubs:
        assert code_of(stubs, "sortition.rpc.v1.Admin/GetServerInfo", None) is grpc.StatusCode.INVALID_ARGUMENT
    tokens = make_tokens(state)
    with running(state) as service, connected(service.address) as stubs:
        assert code_of(stubs, "sortition.rpc.v1.Admin/GetServerInfo", None) is UNAUTHENTICATED
        tokens.path.unlink()
        # Without its file nobody gets in, rather than everybody.
        wait_until(
            lambda: code_of(stubs, "sortition.rpc.v1.Admin/GetServerInfo", tokens.admin) is UNAUTHENTICATED, within_s=2
        )
        assert code_of(stubs, "sortition.rpc.v1.Admin/GetServerInfo", None) is UNAUTHENTICATED
