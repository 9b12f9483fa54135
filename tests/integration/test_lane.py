"""The native lane of a real sidecar: found, bounded, guarded, drained, and nothing lost with it."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from engines import loaded_engine
from lanes import lane, make_engine, outcome_of, python_server, refusal_of, to_lane
from secure import NEVER, bearer, make_certificate, make_tokens, secured, stubs_with
from sidecar_processes import process
from sidecars import (
    KEY,
    SUBJECT,
    TIMEOUT_S,
    Stubs,
    assign,
    connected,
    outcome,
    record,
    running,
    start_experiment,
)
from sortition import AsyncClient, Client, locations
from sortition.api.tokens import revoke_token
from sortition.core import Engine
from sortition.errors import SettingsError, Unavailable
from sortition.rpc.v1 import admin_pb2, assignment_pb2, recording_pb2
from waiting import wait_until

ASSIGN = "Assignment/Assign"
MIB = 1024 * 1024


def request_of(unit: str = "u", key: str = KEY) -> bytes:
    return assignment_pb2.AssignRequest(experiment=key, unit=unit).SerializeToString()


def counters(stubs: Stubs) -> Any:
    return stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S).counters


def opened(stubs: Stubs, metadata: Any = ()) -> tuple[Any, threading.Event]:
    """Opens a stream that has had its first answer; it stays open until the event is set."""
    done = threading.Event()

    def requests() -> Iterator[bytes]:
        yield request_of()
        done.wait(TIMEOUT_S)

    call = stubs.channel.stream_stream("/sortition.rpc.v1.Assignment/AssignStream", None, None)(
        requests(), timeout=TIMEOUT_S, metadata=metadata
    )
    assert assignment_pb2.AssignStreamResponse.FromString(next(iter(call))).assignment.bucket >= 0
    return call, done


def ends_with(call: Any, code: grpc.StatusCode) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() is code
    return str(caught.value.details())


# --- found ---------------------------------------------------------------------------------------------------------


def test_it_is_there_by_itself_and_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "s") as service, connected(service.address) as stubs:
        socket_path = locations.lane_socket(tmp_path / "s")
        assert service.lane == f"unix:{socket_path}"
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
        assert stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).lane == service.lane
        assert locations.lane_file(tmp_path / "s").read_text().strip() == service.lane
        start_experiment(stubs)
        with to_lane(service.lane) as native:
            assert assign(native, "u") == assign(stubs, "u")
            assert record(native, outcome("u", assign(native, "u").variant, 1.0)).accepted == 2
            assert counters(stubs)["lane_calls"] == 3
    assert not socket_path.exists()
    assert not locations.lane_file(tmp_path / "s").exists()


def test_it_can_be_off_or_elsewhere(tmp_path: Path) -> None:
    with running(tmp_path / "a", lane="off") as service, connected(service.address) as stubs:
        assert service.lane == ""
        assert stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).lane == ""
        assert not locations.lane_file(tmp_path / "a").exists()
    with running(tmp_path / "b", lane="127.0.0.1:0") as service, to_lane(service.lane) as native:
        with pytest.raises(grpc.RpcError) as caught:
            assign(native, "u")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(Unavailable, match="lane"), running(tmp_path / "c", lane=service.lane):
            pass
    with pytest.raises(SettingsError, match=r"lane: .*loopback"), running(tmp_path / "d", lane="0.0.0.0:0"):
        pass


def test_clients_take_it_and_fall_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "s"
    monkeypatch.setenv("SORTITION_STATE_DIR", str(state))
    with running(state) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        with Client(timeout_s=10, on_error="raise") as client:

            async def ask() -> str:
                async with AsyncClient(timeout_s=10, on_error="raise") as other:
                    return (await other.assign(SUBJECT.id, unit="u")).variant

            variant = client.assign(SUBJECT.id, unit="u").variant
            assert asyncio.run(ask()) == variant
            assert counters(stubs)["lane_calls"] == 2, "both went over the lane"
            assert client.target == service.address
            assert service._lane is not None
            service._lane.stop(0)
            before = counters(stubs)["assignments"]
            assert client.assign(SUBJECT.id, unit="u").variant == variant
            assert counters(stubs)["assignments"] == before + 1
            assert counters(stubs)["lane_calls"] == 2


# --- bounded -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "size"),
    [
        (ASSIGN, 256 * 1024 + 1),
        ("Assignment/Expose", 256 * 1024 + 1),
        ("Recording/Record", 256 * 1024 + 1),
        ("Recording/Record", 256 * 1024),
        ("Recording/RecordBatch", 4 * MIB + 1),
        ("Recording/RecordBatch", 4 * MIB),
        ("Assignment/AssignBatch", 0),
        ("Recording/Nothing", 0),
        ("Admin/GetServerInfo", 0),
    ],
)
def test_large_and_unknown_calls_are_refused_as_by_the_other_server(method: str, size: int) -> None:
    engine = make_engine()
    with lane(engine) as served, connected(served.address, max_send_message_length=-1) as native:
        answer = outcome_of(native, method, bytes(size))
        if method.startswith("Admin"):
            assert answer[0] is grpc.StatusCode.UNIMPLEMENTED
            return
    with python_server(engine) as python:
        options = connected(_address(python), max_send_message_length=-1)
        with options as stubs:
            theirs = outcome_of(stubs, method, bytes(size))
    assert answer == theirs
    assert isinstance(answer[0], grpc.StatusCode)


def _address(stubs: Stubs) -> str:
    target: Any = stubs.channel
    return str(target._channel.target().decode())


def test_metadata_streams_and_connections_are_bounded() -> None:
    with lane(make_engine(), streams=1, connections=2) as served, to_lane(served.address) as native:
        with pytest.raises(grpc.RpcError) as caught:
            native.channel.unary_unary(f"/sortition.rpc.v1.{ASSIGN}", None, None)(
                request_of(), metadata=(("x", "y" * 8192),), timeout=TIMEOUT_S
            )
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "metadata" in str(caught.value.details())
        first, done = opened(native)
        second = native.channel.stream_stream("/sortition.rpc.v1.Assignment/AssignStream", None, None)(
            iter([request_of()]), timeout=TIMEOUT_S
        )
        assert "streams: 1 are open" in ends_with(second, grpc.StatusCode.RESOURCE_EXHAUSTED)
        done.set()
        assert list(first) == []
        with to_lane(served.address) as other, to_lane(served.address) as third:
            assert outcome_of(other, ASSIGN, request_of(key="search"))[0] is not None
            assert outcome_of(third, ASSIGN, request_of(key="search"))[0] is grpc.StatusCode.UNAVAILABLE
        assert served.counters()["lane_connections_refused"] >= 1
        assert served.counters()["lane_streams_refused"] == 1


def test_calls_under_way_are_bounded() -> None:
    with lane(make_engine(), calls=1) as served, to_lane(served.address) as native, to_lane(served.address) as other:
        hold = socket.create_connection(served.address.split(":"))  # type: ignore[arg-type]
        # By hand: the headers of a call whose message never comes.
        hold.sendall(_half_a_call(served.address))
        wait_until(lambda: served.counters()["lane_calls"] == 1, what="the half call")
        refused = outcome_of(native, ASSIGN, request_of())
        assert refused[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "calls: 1 are waiting" in str(refused[1])
        hold.close()
        wait_until(lambda: len(outcome_of(other, ASSIGN, request_of(key="search"))) == 1, what="room")


def _half_a_call(authority: str) -> bytes:
    """Returns a connection's beginning and the headers of an Assign, in literal HPACK."""

    def literal(name: str, value: str) -> bytes:
        return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/sortition.rpc.v1.{ASSIGN}",
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    block = b"".join(literal(name, value) for name, value in fields.items())
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    headers = len(block).to_bytes(3, "big") + b"\x01\x04" + (1).to_bytes(4, "big") + block
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers


def test_a_large_message_of_a_stream_is_refused_and_the_stream_goes_on() -> None:
    engine = make_engine()
    requests = [request_of(key="search"), bytes(256 * 1024 + 1), request_of("v", "search"), b"\xff"]
    with lane(engine) as served, to_lane(served.address) as native, python_server(engine) as python:
        for method in (f"{ASSIGN}Stream", "Recording/RecordStream"):
            assert native.raw_stream(method, *requests) == python.raw_stream(method, *requests)


# --- guarded -------------------------------------------------------------------------------------------------------


def test_tokens_are_asked_for_as_by_the_other_server(tmp_path: Path) -> None:
    tokens = make_tokens(tmp_path)
    with running(tmp_path) as service, connected(service.address) as channel, to_lane(service.lane) as native:
        admin = stubs_with(channel.channel, tokens.admin)
        start_experiment(admin)
        for token in (None, NEVER, tokens.expired, tokens.agent + "x", "", "Bearer"):
            theirs = outcome_of(channel, ASSIGN, request_of(), bearer(token))
            assert theirs[0] is grpc.StatusCode.UNAUTHENTICATED
            assert outcome_of(native, ASSIGN, request_of(), bearer(token)) == theirs
        for token in (tokens.agent, tokens.admin):
            theirs = outcome_of(channel, ASSIGN, request_of(), bearer(token))
            assert outcome_of(native, ASSIGN, request_of(), bearer(token)) == theirs
            assert len(theirs) == 1
        wait_until(lambda: counters(admin)["denied_calls"] == 12, what="the denials of both")
        call, done = opened(native, bearer(tokens.doomed))
        revoke_token(tokens.path, "doomed")
        ends_with(call, grpc.StatusCode.CANCELLED)
        done.set()
        assert outcome_of(native, ASSIGN, request_of(), bearer(tokens.doomed))[0] is grpc.StatusCode.UNAUTHENTICATED


def test_tls_is_spoken_and_certificates_are_replaced(tmp_path: Path) -> None:
    authority, later = trustme.CA(), trustme.CA()
    made = make_certificate(tmp_path / "server", authority)
    client = make_certificate(tmp_path / "client", authority, "agent")
    stranger = make_certificate(tmp_path / "stranger", trustme.CA(), "agent")
    flags = {"tls_certificate": made.certificate, "tls_key": made.key, "tls_client_ca": client.authority}
    trust = tmp_path / "trust"
    trust.write_bytes(authority.cert_pem.bytes())
    with running(tmp_path / "s", lane="127.0.0.1:0", **flags) as service:
        address = service.lane.replace("127.0.0.1", "localhost")

        def status(trusted: Path, shown: Any) -> Any:
            with secured(address, trusted, shown) as channel:
                return outcome_of(Stubs(channel), ASSIGN, request_of())[0]

        assert status(trust, client) is grpc.StatusCode.NOT_FOUND, "it is asked, and knows of no experiment"
        assert status(trust, None) is grpc.StatusCode.UNAVAILABLE
        assert status(trust, stranger) is grpc.StatusCode.UNAVAILABLE
        with connected(service.lane) as plain:
            assert outcome_of(plain, ASSIGN, request_of())[0] is grpc.StatusCode.UNAVAILABLE
        make_certificate(tmp_path / "server", later)
        # The file that signs clients' certificates was in the same directory as theirs, and stays.
        fresh = tmp_path / "fresh"
        fresh.write_bytes(later.cert_pem.bytes())
        wait_until(lambda: status(fresh, client) is grpc.StatusCode.NOT_FOUND, what="the new certificate")
        made.key.write_bytes(b"no key")
        assert status(fresh, client) is grpc.StatusCode.NOT_FOUND, "the former one stays"


# --- drained, and nothing lost -------------------------------------------------------------------------------------


def test_it_drains_with_the_sidecar(tmp_path: Path) -> None:
    with running(tmp_path / "s") as service, connected(service.address) as stubs, to_lane(service.lane) as native:
        start_experiment(stubs)
        call, done = opened(native)
        stopping = threading.Thread(target=service.stop)
        stopping.start()
        assert "stopping" in ends_with(call, grpc.StatusCode.UNAVAILABLE)
        done.set()
        stopping.join(TIMEOUT_S)
        assert not stopping.is_alive()
        assert outcome_of(native, ASSIGN, request_of())[0] is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("ack", ["memory", "written", "fsynced"])
def test_calls_at_once_are_all_counted(tmp_path: Path, ack: str) -> None:
    with running(tmp_path / "s", ack=ack) as service, connected(service.address) as stubs:
        start_experiment(stubs)
        with to_lane(service.lane) as native, ThreadPoolExecutor(32) as threads:

            def one(number: int) -> int:
                unit = f"u{number}"
                told = outcome(unit, assign(native, unit).variant, 1.0)
                sent = recording_pb2.Delivery(client=b"c%d" % (number % 4), seq=number // 4 + 1, oldest_pending=1)
                request = recording_pb2.RecordRequest(outcome=told, delivery=sent)
                answers = [native.recording.Record(request, timeout=TIMEOUT_S) for _ in range(2)]
                assert [answer.duplicate for answer in answers] == [False, True]
                return int(answers[0].accepted)

            assert sum(threads.map(one, range(400))) == 800
        assert counters(stubs)["observations"] == 800
        assert counters(stubs)["exposures"] == 400


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "s"
    with process(state, database_url=f"sqlite:///{tmp_path / 'db'}") as first:
        with connected(first.address()) as stubs:
            start_experiment(stubs)
        address = locations.lane_file(state).read_text().strip()
        acknowledged: list[str] = []
        with to_lane(address) as native, ThreadPoolExecutor(16) as threads:

            def tell(number: int) -> None:
                unit = f"u{number}"
                try:
                    variant = assign(native, unit).variant
                    request = recording_pb2.RecordRequest(
                        outcome=outcome(unit, variant, 1.0),
                        delivery=recording_pb2.Delivery(idempotency_key=unit.encode()),
                    )
                    native.recording.Record(request, timeout=TIMEOUT_S)
                except grpc.RpcError:
                    return
                acknowledged.append(unit)

            sent = [threads.submit(tell, number) for number in range(3000)]
            wait_until(lambda: len(acknowledged) >= 300, what="some acknowledgements")
            first.send(signal.SIGKILL)
            for each in sent:
                each.result()
        first.kill()
    with running(state, database_url=f"sqlite:///{tmp_path / 'db'}") as service, to_lane(service.lane) as native:
        assert 300 <= len(acknowledged) < 3000
        for number in range(3000):
            unit = f"u{number}"
            told = outcome(unit, assign(native, unit).variant, 1.0)
            request = recording_pb2.RecordRequest(
                outcome=told, delivery=recording_pb2.Delivery(idempotency_key=unit.encode())
            )
            duplicate = native.recording.Record(request, timeout=TIMEOUT_S).duplicate
            # Some that were not acknowledged arrived nevertheless; now all are there, each once.
            assert duplicate or unit not in acknowledged
        with connected(service.address) as stubs:
            assert service._storage is not None
            service._storage.flusher.flush(TIMEOUT_S)
            status = stubs.analysis.Analyze(_analyze(), timeout=TIMEOUT_S)
        assert _observations(status) == 3000


def _analyze() -> Any:
    from sortition.rpc.v1 import analysis_pb2

    return analysis_pb2.AnalyzeRequest(key=KEY)


def _observations(answer: Any) -> int:
    return sum(variant.units for variant in answer.variants)


def test_an_engine_without_a_snapshot_is_not_ready() -> None:
    engine = Engine(unit_key=b"k" * 16)
    with lane(engine) as served, to_lane(served.address) as native, python_server(engine) as python:
        for method in (ASSIGN, "Recording/Record", "Recording/RecordBatch"):
            answer = outcome_of(native, method, b"")
            assert answer == outcome_of(python, method, b"")
            assert answer[0] is grpc.StatusCode.UNAVAILABLE


def test_a_socket_left_behind_is_taken_over_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "lane.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with lane(loaded_engine(), f"unix:{path}") as served, to_lane(served.address) as native:
        assert len(outcome_of(native, ASSIGN, request_of(key="search"))) == 1


def test_refusals_carry_retry_information_where_it_helps() -> None:
    with lane(Engine(unit_key=b"k" * 16)) as served, to_lane(served.address) as native:
        with pytest.raises(grpc.RpcError) as caught:
            native.raw(ASSIGN, b"")
        assert b"google.rpc.RetryInfo" in refusal_of(caught.value)[2]  # type: ignore[operator]
