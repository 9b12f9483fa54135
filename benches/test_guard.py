"""What asking for a token costs a call of the hot path."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from sortition.api.denials import Denials
from sortition.api.guard import Guard
from sortition.api.keyring import Keyring
from sortition.api.roles import Role
from sortition.api.tokens import create_token
from table import Table

CALLS = 100_000
ROUNDS = 5
TOKENS = 100


class Call:
    """What a handler sees of a call; gRPC has read the metadata by then."""

    def __init__(self, token: str) -> None:
        self._metadata = (("user-agent", "grpc-python/1.85.1"), ("authorization", f"Bearer {token}"))

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata


def per_call_us(behavior: Callable[[Any, Any], object], call: Call) -> float:
    begin = time.perf_counter_ns()
    for _ in range(CALLS):
        behavior(b"", call)
    return (time.perf_counter_ns() - begin) / CALLS / 1000


def test_the_guard(benchmark: BenchmarkFixture, table: Table, tmp_path: Path) -> None:
    tokens = [create_token(tmp_path / "tokens", f"t{number}", Role.AGENT)[1] for number in range(TOKENS)]
    guard = Guard(Keyring(tmp_path / "tokens"), Denials())

    def bare(request: bytes, _context: object) -> bytes:
        return request

    guarded = guard._unary("sortition.rpc.v1.Assignment/Assign", Role.AGENT, bare)
    call = Call(tokens[TOKENS // 2])
    bare_us, guarded_us = zip(
        *[(per_call_us(bare, call), per_call_us(guarded, call)) for _ in range(ROUNDS)], strict=True
    )
    benchmark.pedantic(guarded, args=(b"", call), rounds=ROUNDS, iterations=1000)
    table.add(
        f"ask a call for its token, one of {TOKENS}",
        guarded_us,
        "nothing asked",
        bare_us,
        unit="µs",
        target="≤ 2 µs",
    )
