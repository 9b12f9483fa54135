"""Health and reflection."""

from __future__ import annotations

import threading
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from sidecars import TIMEOUT_S, connected, running
from sortition.api.address import Listen
from sortition.api.server import SERVICES, build_server
from sortition.core import Engine
from sortition.errors import StoreUnavailable
from sortition.rpc.v1 import admin_pb2
from waiting import wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ALL = ("", *SERVICES)


def check(channel: grpc.Channel, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    answer: int = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S).status
    return answer


def test_the_services_of_the_contract_are_known_by_name() -> None:
    assert set(SERVICES) == {f"sortition.rpc.v1.{name}" for name in ("Assignment", "Recording", "Admin", "Analysis")}


def test_a_sidecar_with_a_snapshot_serves(tmp_path: Path) -> None:
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        assert {name: check(stubs.channel, name) for name in ALL} == dict.fromkeys(ALL, SERVING)
        with pytest.raises(grpc.RpcError) as caught:
            check(stubs.channel, "unknown.Service")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_without_a_snapshot_nothing_serves() -> None:
    def nothing() -> object:
        raise StoreUnavailable("away")

    server = build_server(Listen("127.0.0.1", 0), Engine(unit_key=b"k" * 32), nothing, admin_pb2.ServerInfo)  # type: ignore[arg-type]
    server.start()
    try:
        with connected(server.address) as stubs:
            assert {name: check(stubs.channel, name) for name in ALL} == dict.fromkeys(ALL, NOT_SERVING)
            with pytest.raises(grpc.RpcError) as caught:
                stubs.raw("Assignment/Assign", b"\x0a\x01k\x22\x01u")
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            with pytest.raises(grpc.RpcError) as caught:
                stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key="k"))
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            server.health.serving()
            assert check(stubs.channel, "") == SERVING
    finally:
        server.stop(0).wait(TIMEOUT_S)
        server.close()


def test_who_watches_sees_the_drain(tmp_path: Path) -> None:
    seen: dict[str, list[int]] = {name: [] for name in ALL}

    def watch(channel: grpc.Channel, name: str) -> None:
        try:
            for answer in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name)):
                seen[name].append(answer.status)
        except grpc.RpcError:
            # The server is gone; what it said before is what counts.
            pass

    with running(tmp_path / "state", drain_s=1) as service, connected(service.address) as stubs:
        threads = [threading.Thread(target=watch, args=(stubs.channel, name), daemon=True) for name in ALL]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(seen.values()), what="the first state of each service")
        service.stop()
        wait_until(lambda: all(len(states) == 2 for states in seen.values()), what="the second state of each service")
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert seen == {name: [SERVING, NOT_SERVING] for name in ALL}


def test_reflection_lists_every_service_and_describes_the_contract(tmp_path: Path) -> None:
    with running(tmp_path / "state") as service, connected(service.address) as stubs:
        database = ProtoReflectionDescriptorDatabase(stubs.channel)
        assert set(database.get_services()) == {
            *SERVICES,
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        file = database.FindFileContainingSymbol("sortition.rpc.v1.Admin")
        assert [found.name for found in file.service] == ["Admin"]
