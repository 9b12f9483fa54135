"""Clients and commands that bring a token, over TLS and over a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from commands import Ended, Run, run_command
from secure import NEVER, Tokens, make_certificate, make_tokens, replace, stubs_with
from sidecars import connected, running, start_experiment
from sortition import locations
from sortition.api.tokens import revoke_token
from sortition.client import AsyncClient, Client
from sortition.client.failures import from_rpc
from sortition.errors import PermissionDenied, SettingsError, SidecarUnavailable, Unauthenticated
from sortition.rpc.v1 import admin_pb2
from waiting import wait_until


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hides the settings of whoever runs the tests."""
    for name in os.environ:
        if name.upper().startswith("SORTITION_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def tokens(state: Path) -> Tokens:
    return make_tokens(state)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    return run_command(capfd)


def trial_with(timeout_s: float = 10, **arguments: Any) -> str:
    """Asks for a variant; returns its name."""
    with (
        Client(on_error="raise", timeout_s=timeout_s, **arguments) as client,
        client.assign("search-agent", unit="u") as trial,
    ):
        return trial.variant


async def async_trial_with(**arguments: Any) -> str:
    async with (
        AsyncClient(on_error="raise", timeout_s=10, **arguments) as client,
        client.assign("search-agent", unit="u") as trial,
    ):
        return trial.variant


def both(**arguments: Any) -> list[str]:
    return [trial_with(**arguments), asyncio.run(async_trial_with(**arguments))]


def test_the_token_comes_from_an_argument_a_file_or_the_environment(
    state: Path, tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{tokens.agent}\n")
    with running(state) as service, connected(service.address) as plain:
        start_experiment(stubs_with(plain.channel, tokens.admin))
        assert all(both(target=service.address, token=tokens.agent))
        assert all(both(target=service.address, token_file=file))
        nothing: list[dict[str, Any]] = [{}, {"token": NEVER}, {"token": tokens.expired}]
        for without in nothing:
            with pytest.raises(Unauthenticated):
                trial_with(target=service.address, **without)
            with pytest.raises(Unauthenticated):
                asyncio.run(async_trial_with(target=service.address, **without))
        monkeypatch.setenv("SORTITION_TOKEN_FILE", str(file))
        assert all(both(target=service.address))
        monkeypatch.setenv("SORTITION_TOKEN", NEVER)
        with pytest.raises(Unauthenticated):
            trial_with(target=service.address)
        assert all(both(target=service.address, token_file=file)), "what was named is meant"


def test_another_token_in_the_file_is_found_and_no_outcome_is_lost(state: Path, tokens: Tokens, tmp_path: Path) -> None:
    file = tmp_path / "token"
    replace(file, tokens.doomed.encode())
    with running(state) as service, connected(service.address) as plain:
        start_experiment(stubs_with(plain.channel, tokens.admin))
        with Client(service.address, token_file=file, timeout_s=5) as client:
            with client.assign("search-agent", unit="u") as trial:
                revoke_token(tokens.path, "doomed")
                wait_until(lambda: client.assign("search-agent", unit="u").error is not None, within_s=2)
                trial.record(time=1.0)
            assert client.stats.waiting == 1
            assert client.stats.refused == 0
            replace(file, tokens.agent.encode())
            wait_until(lambda: client.assign("search-agent", unit="u").error is None)
            assert client.flush() == 0
            assert client.stats.recorded == 1


def test_the_token_never_leaves_this_machine_without_tls(tokens: Tokens, tmp_path: Path) -> None:
    for target in ("10.0.0.1:7117", "sidecar.example:7117", "dns:///sidecar.example:7117", "0.0.0.0:7117"):
        with pytest.raises(SettingsError, match="with TLS only") as caught:
            Client(target, token=tokens.agent)
        assert tokens.agent not in str(caught.value)
        with pytest.raises(SettingsError, match="with TLS only"):
            AsyncClient(target, token=tokens.agent)
        Client(target).close()
    for target in ("127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/s", "dns:///localhost:1"):
        Client(target, token=tokens.agent).close()


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read"), (b"", "bytes"), (b"\xff", "no token"), (b"two words", "one word")]
)
def test_a_file_without_a_token_is_told_at_once(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=why):
        Client("127.0.0.1:1", token_file=file)


def test_tls_and_a_clients_certificate(
    state: Path, tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    made = make_certificate(tmp_path / "tls", trustme.CA(), "sidecar.example")
    mine = make_certificate(tmp_path / "mine", trustme.CA(), "agent-1")
    flags = {"tls_certificate": made.certificate, "tls_key": made.key, "tls_client_ca": mine.authority}
    named: dict[str, Any] = {"token": tokens.agent, "tls_ca": made.authority, "tls_server_name": "sidecar.example"}
    shown: dict[str, Any] = {"tls_certificate": mine.certificate, "tls_key": mine.key}
    with running(state, **flags) as service:
        monkeypatch.setenv("SORTITION_TOKEN", tokens.admin)
        monkeypatch.setenv("SORTITION_TLS_CA", str(made.authority))
        monkeypatch.setenv("SORTITION_TLS_SERVER_NAME", "sidecar.example")
        monkeypatch.setenv("SORTITION_TLS_CLIENT_CERTIFICATE", str(mine.certificate))
        monkeypatch.setenv("SORTITION_TLS_CLIENT_KEY", str(mine.key))
        experiment = tmp_path / "e.yaml"
        experiment.write_text(EXPERIMENT)
        assert run("start", experiment, "--target", service.address).code == 0
        assert all(both(target=service.address)), "from the environment"
        for name in ("TLS_CA", "TLS_SERVER_NAME", "TLS_CLIENT_CERTIFICATE", "TLS_CLIENT_KEY", "TOKEN"):
            monkeypatch.delenv(f"SORTITION_{name}")
        assert all(both(target=service.address, **named, **shown))
        with pytest.raises(SidecarUnavailable):
            trial_with(0.5, target=service.address, **named)
        with pytest.raises(SidecarUnavailable):
            trial_with(0.5, target=service.address, token=tokens.agent)
        for wrong, field in (({"tls_key": mine.key}, "tls_key"), ({"tls_ca": tmp_path / "none"}, "tls_ca")):
            with pytest.raises(SettingsError, match=field):
                trial_with(target=service.address, **{**named, **wrong})
        with pytest.raises(SettingsError, match="tls_ca"):
            trial_with(target=service.address, token=tokens.agent, **shown)


EXPERIMENT = """
experiment: search-strategy
subject: {kind: agent, id: search-agent}
metrics:
  time: {kind: duration, unit: s, goal: minimize, role: primary}
variants:
  slow: {weight: 50, control: true, config: {passes: 2}}
  fast: {weight: 50, config: {passes: 1}}
decision: {min_samples: 40}
"""


def test_a_socket_and_what_only_its_owner_may_touch(tmp_path: Path, state: Path, tokens: Tokens) -> None:
    path = tmp_path / "run" / "socket"
    with running(state, listen=f"unix:{path}") as service:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with connected(service.address) as plain:
            start_experiment(stubs_with(plain.channel, tokens.admin))
        assert all(both(target=service.address, token=tokens.agent))
        assert locations.endpoint_file(state).read_text() == f"unix:{path}\n", "the address and nothing else"


def test_commands_make_list_and_revoke_tokens(state: Path, tmp_path: Path, run: Run) -> None:
    made = run("token", "create", "ada", "--role", "admin", "--expires", "90d", "--state-dir", state)
    assert made.code == 0
    token = made.out.strip()
    assert token.startswith("sortition_")
    assert token not in made.err
    file = tmp_path / "agent.token"
    quiet = run("token", "create", "searcher", "--role", "agent", "--to", file, "--state-dir", state)
    assert (quiet.code, quiet.out) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    listed = run("token", "list", "-o", "json", "--state-dir", state)
    assert [(each["name"], each["role"], bool(each["expires_at"])) for each in listed.document["tokens"]] == [
        ("ada", "admin", True),
        ("searcher", "agent", False),
    ]
    assert token not in listed.out
    assert "never" in run("token", "list", "--state-dir", state).out
    with running(state) as service:
        target = ("--target", service.address)
        admin = tmp_path / "admin.token"
        admin.write_text(token)
        _ends(run("list", *target), 8, "a token is needed")
        _ends(run("list", *target, "--token-file", file), 8, "role agent")
        assert run("list", *target, "--token-file", admin).code == 0
        assert run("token", "revoke", "ada", "--state-dir", state).code == 0
        wait_until(lambda: run("list", *target, "--token-file", admin).code == 8, within_s=3)


def _ends(ended: Ended, code: int, said: str) -> None:
    assert (ended.code, said in ended.err) == (code, True), ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "ada", "--role", "root"), 2, "must be agent or admin"),
        (("create", "a b", "--role", "agent"), 2, "letters"),
        (("create", "ada", "--role", "agent", "--expires", "soon"), 2, "90d"),
        (("create", "ada", "--role", "agent", "--expires", "0d"), 2, "90d"),
        (("revoke", "ada"), 3, "not in"),
        (("list",), 2, "token create"),
    ],
)
def test_wrong_commands_say_why(run: Run, state: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = run("token", *arguments, "--state-dir", state)
    _ends(ended, code, said)
    assert not locations.tokens_file(state).exists() or not locations.tokens_file(state).read_text().count("sha256")


def test_a_token_that_cannot_be_written_is_not_made(run: Run, state: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("precious")
    _ends(run("token", "create", "ada", "--role", "agent", "--to", taken, "--state-dir", state), 2, "no token was made")
    assert taken.read_text() == "precious"
    assert run("token", "list", "-o", "json", "--state-dir", state).document == {"tokens": []}


def test_a_role_that_may_not_is_told_by_its_own_name(state: Path, tokens: Tokens, run: Run, tmp_path: Path) -> None:
    with running(state) as service, connected(service.address) as plain:
        agent = stubs_with(plain.channel, tokens.agent)
        raised = _raised(lambda: agent.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()))
    assert type(raised) is PermissionDenied


def _raised(call: Callable[[], object]) -> Exception:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return from_rpc(caught.value)
