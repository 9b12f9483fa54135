"""TLS: who is believed, what is refused, and certificates that change while it runs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
import trustme

from secure import Certificate, bearer, make_certificate, make_tokens, replace, secured
from sidecars import TIMEOUT_S, connected, running
from sortition.errors import SettingsError
from sortition.rpc.v1 import admin_pb2, admin_pb2_grpc
from sortition.service.sidecar import Service


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls(made: Certificate, **more: Any) -> dict[str, Any]:
    return {"tls_certificate": made.certificate, "tls_key": made.key, **more}


def asks(channel: grpc.Channel, token: str | None = None) -> str:
    """Asks for the sidecar's version."""
    stub: Any = admin_pb2_grpc.AdminStub(channel)
    answer = stub.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S, metadata=bearer(token))
    version: str = answer.version
    return version


def expect_refusal(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        asks(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@contextmanager
def served(tmp_path: Path, made: Certificate, **flags: Any) -> Iterator[Service]:
    with running(tmp_path / "state", **tls(made, **flags)) as service:
        yield service


def test_with_a_certificate_nothing_is_spoken_but_tls(tmp_path: Path, authority: trustme.CA) -> None:
    made = make_certificate(tmp_path / "tls", authority)
    with served(tmp_path, made) as service:
        with secured(service.address, made.authority) as channel:
            assert asks(channel)
        with connected(service.address) as plain:
            expect_refusal(plain.channel)
        stranger = make_certificate(tmp_path / "stranger", trustme.CA())
        with secured(service.address, stranger.authority) as channel:
            expect_refusal(channel)


def test_a_name_that_is_not_in_the_certificate_is_not_believed(tmp_path: Path, authority: trustme.CA) -> None:
    made = make_certificate(tmp_path / "tls", authority, "elsewhere.example")
    with served(tmp_path, made) as service, secured(service.address, made.authority) as channel:
        expect_refusal(channel)


@pytest.mark.parametrize(
    ("version", "spoken"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_is_1_2_or_later(tmp_path: Path, authority: trustme.CA, version: ssl.TLSVersion, spoken: bool) -> None:
    made = make_certificate(tmp_path / "tls", authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(made.authority)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if not spoken:
        # The library would not even offer these by itself, and the test would say nothing about the server.
        context.set_ciphers("ALL:@SECLEVEL=0")
    with served(tmp_path, made) as service:
        host, _, port = service.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as raw:
            if spoken:
                with context.wrap_socket(raw, server_hostname="localhost") as line:
                    assert line.version() == version.name.replace("_", ".")
                return
            # It was offered, and the server ended the connection instead of answering.
            with pytest.raises((ssl.SSLError, ConnectionResetError), match=r"(?i)alert protocol version|EOF|reset"):
                context.wrap_socket(raw, server_hostname="localhost")


def test_clients_need_a_certificate_that_the_right_authority_signed(tmp_path: Path, authority: trustme.CA) -> None:
    made = make_certificate(tmp_path / "tls", authority)
    clients = trustme.CA()
    good = make_certificate(tmp_path / "client", clients, "agent-1")
    # Signed by the authority of servers, which says nothing about clients.
    other = make_certificate(tmp_path / "other", authority, "agent-1")
    with served(tmp_path, made, tls_client_ca=good.authority) as service:
        with secured(service.address, made.authority, good) as channel:
            assert asks(channel)
        with secured(service.address, made.authority, other) as channel:
            expect_refusal(channel)
        with secured(service.address, made.authority) as channel:
            expect_refusal(channel)


def test_new_certificates_are_taken_without_a_restart_and_bad_ones_are_not(
    tmp_path: Path, authority: trustme.CA
) -> None:
    made = make_certificate(tmp_path / "tls", authority)
    second = trustme.CA()
    with served(tmp_path, made) as service, secured(service.address, made.authority) as old:
        assert asks(old)
        make_certificate(tmp_path / "tls", second)
        with secured(service.address, made.authority) as channel:
            assert asks(channel), "signed by the second authority"
        assert asks(old), "connections that were open stay open"
        trust = tmp_path / "second.crt"
        trust.write_bytes(second.cert_pem.bytes())
        key = made.key.read_bytes()
        # A key that belongs to no certificate here, half a certificate, nothing at all, and an open key.
        damaged: list[tuple[Path, bytes]] = [
            (made.key, authority.issue_cert("x").private_key_pem.bytes()),
            (made.certificate, made.certificate.read_bytes()[:200]),
            (made.certificate, b""),
        ]
        for path, content in damaged:
            kept = path.read_bytes()
            with structlog.testing.capture_logs() as logs:
                replace(path, content)
                with secured(service.address, trust) as channel:
                    assert asks(channel)
                with secured(service.address, trust) as channel:
                    assert asks(channel)
            told = [event for event in logs if event["log_level"] == "error"]
            assert len(told) == 1, "said once, not for every connection"
            assert "the former one stays" in told[0]["event"]
            assert key.decode().splitlines()[1] not in str(told)
            replace(path, kept)
        made.certificate.unlink()
        with secured(service.address, trust) as channel:
            assert asks(channel)
        make_certificate(tmp_path / "tls", authority)
        with secured(service.address, made.authority) as channel:
            assert asks(channel)


@pytest.mark.parametrize("what", ["missing", "garbage", "another key", "open key", "no authority", "passphrase"])
def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path, authority: trustme.CA, what: str) -> None:
    made = make_certificate(tmp_path / "tls", authority)
    flags = tls(made)
    if what == "missing":
        made.certificate.unlink()
    elif what == "garbage":
        made.certificate.write_text("no certificate")
    elif what == "another key":
        replace(made.key, authority.issue_cert("x").private_key_pem.bytes())
    elif what == "open key":
        made.key.chmod(0o644)
    elif what == "no authority":
        empty = tmp_path / "empty.crt"
        empty.write_text("nothing")
        flags["tls_client_ca"] = empty
    else:
        replace(made.key, _locked(made.key.read_bytes()))
    with pytest.raises(SettingsError) as caught, running(tmp_path / "state", **flags):
        pass
    field = {"open key": "tls_key", "no authority": "tls_client_ca"}.get(what, "tls_certificate")
    assert [violation.field for violation in caught.value.violations] == [field]


def _locked(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )


def test_other_machines_are_served_with_tls_and_tokens_and_not_without(tmp_path: Path, authority: trustme.CA) -> None:
    state = tmp_path / "state"
    made = make_certificate(tmp_path / "tls", authority)
    everywhere: dict[str, Any] = {"listen": "0.0.0.0:0"}
    for flags in (everywhere, {**everywhere, **tls(made)}):
        with pytest.raises(SettingsError, match="lacks"), running(state, **flags):
            pass
    tokens = make_tokens(state)
    with pytest.raises(SettingsError, match="lacks TLS"), running(state, **everywhere):
        pass
    with running(state, **everywhere, **tls(made)) as service:
        assert service.address.startswith("localhost:")
        with secured(service.address, made.authority) as channel:
            assert asks(channel, tokens.admin)
            with pytest.raises(grpc.RpcError) as caught:
                asks(channel)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
