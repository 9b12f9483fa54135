"""The checks of assignment pass here, and fail for every way of drawing that is not fair."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

import pytest

from sortition.check import Finding, State, assignment
from sortition.check.finding import Probe
from sortition.core import allocate, bucket

Found = Callable[[Iterator[Probe], str], Finding]


@pytest.mark.parametrize("name", ["hash", "weights", "uniform", "independent", "groups of units"])
def test_this_machine_draws_fairly(found: Found, name: str) -> None:
    finding = found(assignment.probes(), name)
    assert finding.state is State.OK, finding.detail


def fnv(experiment: str, unit: str) -> int:
    """FNV-1a, once, modulo 10,000: the commonest default in the field."""
    value = 0x811C9DC5
    for byte in f"{experiment}:{unit}".encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % 10_000


def test_a_weak_hash_is_found_out(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "_UNITS", 5_000)
    monkeypatch.setattr(assignment, "bucket", fnv)
    finding = found(assignment.probes(), "independent")
    assert finding.state is State.FAILED
    assert "draw related lots" in finding.detail
    assert found(assignment.probes(), "hash").state is State.FAILED


def test_the_same_lots_for_every_experiment_are_found_out(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    def same(experiment: str, unit: str) -> int:
        return int.from_bytes(hashlib.sha256(unit.encode()).digest()[:4], "big") % 10_000

    monkeypatch.setattr(assignment, "_UNITS", 5_000)
    monkeypatch.setattr(assignment, "bucket", same)
    assert found(assignment.probes(), "uniform").state is State.OK
    assert found(assignment.probes(), "independent").state is State.FAILED


def test_uneven_lots_are_found_out(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)
    monkeypatch.setattr(assignment, "_UNITS", 5_000)
    # A 14-bit number modulo 10,000: the first 6,384 buckets are twice as likely.
    monkeypatch.setattr(assignment, "bucket", lambda experiment, unit: chance.getrandbits(14) % 10_000)
    finding = found(assignment.probes(), "uniform")
    assert finding.state is State.FAILED
    assert "not spread evenly" in finding.detail


def test_groups_that_depend_on_the_variant_are_found_out(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    real = bucket
    monkeypatch.setattr(assignment, "unit_bucket", lambda experiment, unit: (real(experiment, unit) % 128, 0))
    # The lowest bits of a bucket say nothing about its half; its highest ones do.
    assert found(assignment.probes(), "groups of units").state is State.OK
    monkeypatch.setattr(assignment, "unit_bucket", lambda experiment, unit: (real(experiment, unit) * 128 // 10_000, 0))
    assert found(assignment.probes(), "groups of units").state is State.FAILED


def test_wrong_shares_are_found_out(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    real = allocate
    monkeypatch.setattr(assignment, "allocate", lambda weights, place: real(weights, max(place - 1, 0)))
    assert found(assignment.probes(), "weights").state is State.FAILED
