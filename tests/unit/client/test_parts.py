"""The parts that need no sidecar."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sortition
from sortition import locations
from sortition.client.circuit import Circuit
from sortition.client.configs import ConfigCache
from sortition.client.outbox import WINDOW, Outbox, Parcel
from sortition.client.target import find_target
from sortition.rpc.v1 import recording_pb2

REPOSITORY = Path(__file__).parents[3]


def parcel() -> Parcel:
    return Parcel([recording_pb2.Outcome()], "some-experiment")


# --- importing ---


def test_importing_sortition_is_light() -> None:
    heavy = "('grpc', 'google.protobuf', 'numpy', 'scipy', 'sqlalchemy', 'pydantic', 'sortition._core')"
    code = f"import sys, sortition; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_every_public_name_is_there() -> None:
    for name in sortition.__all__:
        assert getattr(sortition, name) is not None
        assert name in dir(sortition)
    assert sortition.Client is sys.modules["sortition.client"].Client
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sortition.nothing


def test_the_client_exports_what_it_says() -> None:
    import sortition.client as client

    assert sorted(client.__all__) == client.__all__
    assert all(hasattr(client, name) for name in client.__all__)


# --- where the sidecar is ---


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    return tmp_path


def test_the_sidecar_is_found_in_order(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_target() == locations.DEFAULT_TARGET
    locations.endpoint_file(state).write_text("127.0.0.1:7999\n")
    assert find_target() == "127.0.0.1:7999"
    monkeypatch.setenv("SORTITION_TARGET", "unix:/run/sortition.sock")
    assert find_target() == "unix:/run/sortition.sock"
    assert find_target("10.0.0.1:1") == "10.0.0.1:1"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 10_000])
def test_a_file_that_is_no_address_is_ignored(state: Path, content: bytes) -> None:
    locations.endpoint_file(state).write_bytes(content)
    assert find_target() == locations.DEFAULT_TARGET


# --- numbers of deliveries ---


def test_a_parcel_keeps_its_number_until_it_is_settled() -> None:
    outbox = Outbox(10)
    first, second = parcel(), parcel()
    assert outbox.number(first)
    assert outbox.number(second)
    assert outbox.number(first)
    assert (first.seq, second.seq) == (1, 2)
    assert (outbox.delivery(second).seq, outbox.delivery(second).oldest_pending) == (2, 1)
    outbox.settle(first)
    assert outbox.delivery(second).oldest_pending == 2


def test_the_window_is_never_left() -> None:
    outbox = Outbox(1000)
    parcels = [parcel() for _ in range(WINDOW + 1)]
    assert [outbox.number(each) for each in parcels] == [True] * WINDOW + [False]
    # The sidecar refuses a number of 256 or more above the oldest pending one.
    assert outbox.delivery(parcels[WINDOW - 1]).seq - outbox.delivery(parcels[WINDOW - 1]).oldest_pending == 255
    # Only settling the oldest one moves the window.
    outbox.settle(parcels[1])
    assert not outbox.number(parcels[-1])
    outbox.settle(parcels[0])
    assert outbox.number(parcels[-1])
    assert outbox.delivery(parcels[-1]).oldest_pending == 3


def test_the_oldest_waits_at_the_head() -> None:
    outbox = Outbox(2)
    first, second, third = parcel(), parcel(), parcel()
    assert outbox.keep(first)
    assert outbox.keep(second)
    assert not outbox.keep(third)
    taken = outbox.take()
    assert taken is first
    # Its place was not given away.
    assert outbox.keep(third)
    assert outbox.keep(first)
    assert [outbox.take(), outbox.take(), outbox.take(), outbox.take()] == [first, second, third, None]


def test_a_dropped_parcel_frees_its_number() -> None:
    outbox = Outbox(0)
    lost, next_one = parcel(), parcel()
    outbox.number(lost)
    assert not outbox.keep(lost)
    outbox.number(next_one)
    assert outbox.delivery(next_one).oldest_pending == 2


def test_every_outbox_has_its_own_identity() -> None:
    outbox, other = Outbox(1), Outbox(1)
    outbox.keep(parcel())
    before = outbox.delivery(parcel()).client
    assert before != other.delivery(parcel()).client
    outbox.reset()
    assert outbox.delivery(parcel()).client != before
    assert len(outbox) == 0


# --- sparing callers the wait ---


def test_the_circuit_lets_one_call_through_per_pause() -> None:
    circuit = Circuit(1.0)
    assert circuit.admits(0)
    circuit.failed(10)
    assert circuit.failing
    assert not circuit.admits(10.9)
    assert circuit.admits(11.0)
    # The others wait for what becomes of that one.
    assert not circuit.admits(11.0)
    circuit.succeeded()
    assert circuit.admits(11.1)
    assert not circuit.failing


# --- known configurations ---


def fill(cache: ConfigCache, caller: str, count: int, size: int = 10) -> None:
    for number in range(count):
        cache.keep(caller, number.to_bytes(16, "big"), bytes(size))


def fill_many(cache: ConfigCache, callers: int) -> None:
    for caller in range(callers):
        fill(cache, str(caller), 1)


@pytest.mark.parametrize(
    ("fill_it", "left"),
    [
        (lambda cache: fill(cache, "a", 50), 4),
        (lambda cache: fill_many(cache, 50), 3),
        (lambda cache: fill(cache, "a", 4, size=40), 2),
        (lambda cache: fill(cache, "a", 1, size=101), 0),
    ],
)
def test_the_cache_is_bounded(fill_it: Callable[[ConfigCache], object], left: int) -> None:
    cache = ConfigCache(callers=3, per_caller=4, max_bytes=100)
    fill_it(cache)
    assert len(cache) == left
    # Bounds count what is there, not what was: the cache goes on working.
    fill(cache, "b", 1)
    assert len(cache.held("b")) == 1


def test_the_cache_forgets_what_was_not_used_longest() -> None:
    cache = ConfigCache(callers=2, per_caller=2, max_bytes=1000)
    cache.keep("a", b"1", b"one")
    cache.keep("a", b"2", b"two")
    cache.keep("a", b"1", b"one")
    cache.keep("a", b"3", b"three")
    assert cache.held("a") == {b"1": b"one", b"3": b"three"}
    cache.keep("b", b"1", b"one")
    cache.held("a")
    cache.keep("c", b"1", b"one")
    assert cache.held("b") == {}
    assert set(cache.held("a")) == {b"1", b"3"}
