"""Assigning from Python: the core beside hashlib by hand and beside Eppo's SDK, whose core is Rust as well."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from many_experiments import snapshot
from sortition.core import Engine
from table import Table

CALLS = 200_000
ROUNDS = 5
UNITS = [f"user-{index}" for index in range(1000)]


def per_call_ns(call: Callable[[str], object]) -> float:
    """Returns the time of one call in a tight loop, the loop's own time included on every side."""
    units = UNITS
    begin = time.perf_counter_ns()
    for _ in range(CALLS // len(units)):
        for unit in units:
            call(unit)
    return (time.perf_counter_ns() - begin) / CALLS


def by_hand(unit: str) -> str:
    digest = hashlib.sha256(f"bench:{unit}".encode()).digest()
    return "control" if int.from_bytes(digest[:4], "big") % 10_000 < 5_000 else "treatment"


def eppo_client() -> Any:
    """Returns Eppo's client with one flag that splits evenly, and no network."""
    import eppo_client
    from eppo_client import AssignmentLogger, ClientConfig, Configuration

    flag = {
        "key": "bench",
        "enabled": True,
        "variationType": "STRING",
        "variations": {name: {"key": name, "value": name} for name in ("control", "treatment")},
        "allocations": [
            {
                "key": "all",
                "doLog": False,
                "rules": [],
                "splits": [
                    {
                        "variationKey": name,
                        "shards": [{"salt": "bench", "ranges": [{"start": start, "end": start + 5000}]}],
                    }
                    for name, start in (("control", 0), ("treatment", 5000))
                ],
            }
        ],
        "totalShards": 10000,
    }
    rules = {
        "createdAt": "2026-01-01T00:00:00.000Z",
        "format": "SERVER",
        "environment": {"name": "bench"},
        "flags": {"bench": flag},
    }
    configuration = Configuration(flags_configuration=json.dumps(rules).encode())
    config = ClientConfig(
        api_key="none",
        base_url="http://127.0.0.1:9",
        assignment_logger=AssignmentLogger(),
        poll_interval_seconds=None,
        initial_configuration=configuration,
    )
    return eppo_client.init(config)


def test_assign_in_process(benchmark: BenchmarkFixture, table: Table) -> None:
    engine = Engine(unit_key=bytes(32))
    engine.load_snapshot(snapshot(experiments=1))
    assign = engine.assign_unit
    eppo = eppo_client()
    rounds: dict[str, list[float]] = {"sortition": [], "eppo": [], "by_hand": []}

    def ours(unit: str) -> str | None:
        return assign("experiment-0", unit).variant

    def theirs(unit: str) -> str:
        return str(eppo.get_string_assignment("bench", unit, {}, "none"))

    assert {theirs(unit) for unit in UNITS} == {ours(unit) for unit in UNITS} == {"control", "treatment"}

    def one_round() -> None:
        rounds["sortition"].append(per_call_ns(ours))
        rounds["eppo"].append(per_call_ns(theirs))
        rounds["by_hand"].append(per_call_ns(by_hand))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    table.add(
        "core assign from Python",
        rounds["sortition"],
        "eppo-server-sdk",
        rounds["eppo"],
        unit="ns",
        target="-",
    )
    table.add(
        "core assign from Python",
        rounds["sortition"],
        "hashlib by hand",
        rounds["by_hand"],
        unit="ns",
        target="-",
    )
