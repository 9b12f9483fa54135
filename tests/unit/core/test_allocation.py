"""Assignment and hashing against the vectors that the Rust tests run too."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sortition.core import BUCKETS, allocate, bucket, exposure_hash, unit_bucket
from sortition.errors import InvalidArgument

VECTORS = Path(__file__).parents[2] / "vectors"


def load(name: str) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return vectors


def test_every_vector_is_assigned_as_written() -> None:
    cases = load("assignment.json")["cases"]
    assert len(cases) == 400
    for case in cases:
        assert bucket(case["experiment"], case["unit"]) == case["bucket"], case
        assert allocate(case["weights"], case["bucket"]) == case["variant"], case


def test_every_slot_and_exposure_is_hashed_as_written() -> None:
    hashes = load("hashes.json")
    assert (len(hashes["slots"]), len(hashes["exposures"])) == (42, 36)
    for case in hashes["slots"]:
        assert unit_bucket(case["experiment"], case["unit"]) == (case["bucket"], case["sub"]), case
    for case in hashes["exposures"]:
        found = exposure_hash(bytes.fromhex(case["key"]), case["experiment"], case["unit"])
        assert found == case["hash"], case


def test_buckets_are_those_of_hashlib() -> None:
    for number in range(200):
        digest = sha256(f"experiment:{number}".encode()).digest()
        assert bucket("experiment", str(number)) == int.from_bytes(digest[:4], "big") % BUCKETS


def test_slots_are_even_and_independent_of_buckets() -> None:
    """A cell's variance is wrong if its buckets are uneven, or share units with the assignment."""
    units = [f"unit-{number}" for number in range(20_000)]
    halves = [0, 0]
    subs = [0] * 16
    buckets = [0] * 128
    for unit in units:
        slot, sub = unit_bucket("experiment", unit)
        buckets[slot] += 1
        subs[sub] += 1
        halves[(slot < 64) == (bucket("experiment", unit) < BUCKETS // 2)] += 1
    # Six standard deviations of a fair split.
    assert abs(halves[0] - halves[1]) < 6 * len(units) ** 0.5
    for counts in (buckets, subs):
        expected = len(units) / len(counts)
        assert all(abs(count - expected) < 6 * expected**0.5 for count in counts)


@pytest.mark.parametrize(
    ("weights", "number", "fields"),
    [
        ([5000, 4999], 0, ["weights"]),
        ([], 0, ["weights"]),
        ([10_000], 10_000, ["bucket"]),
        ([10_000], -1, ["bucket"]),
        ([10_000], 2**80, ["bucket"]),
        ([-1, 10_001], 0, ["weights[0]"]),
        ([2**64, -5], -1, ["weights[0]", "weights[1]", "bucket"]),
        ([1], 10_000, ["weights", "bucket"]),
    ],
)
def test_wrong_numbers_are_all_named(weights: list[int], number: int, fields: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        allocate(weights, number)
    assert [violation.field for violation in caught.value.violations] == fields


def test_text_that_is_not_unicode_is_refused() -> None:
    for call in (bucket, unit_bucket):
        with pytest.raises(InvalidArgument, match="surrogate"):
            call("experiment", "\ud800")


def test_wrong_types_are_type_errors() -> None:
    with pytest.raises(TypeError):
        bucket("experiment", 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        allocate([0.5], 1)  # type: ignore[list-item]
