"""Allocations: weights as ranges of buckets, the first one and those that follow it with as few moves as can be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby

from sortition.model import ExperimentSpec
from sortition.store.records import AllocationRecord

__all__ = ["first_allocation", "moved_buckets", "next_allocation"]


def first_allocation(spec: ExperimentSpec) -> AllocationRecord:
    """Returns generation 1: in declared order, each variant gets as many buckets as it has basis points.

    Args:
        spec: The specification; the weights of its ramp's first step, or else the declared ones, sum to 10,000.
    """
    weights = spec.starting_weights
    ends = accumulate(weights)
    # A variant without weight has no range, as none is empty.
    return AllocationRecord(
        generation=1,
        ranges=tuple((end, index) for index, (weight, end) in enumerate(zip(weights, ends, strict=True)) if weight),
    )


def next_allocation(
    before: AllocationRecord, weights: Sequence[int], *, ramp_step: int | None = None
) -> AllocationRecord:
    """Returns the allocation that reaches other weights with the fewest moves.

    A variant that shrinks gives up its highest buckets; those that grow take them, lowest first, in declared order. So
    the buckets that change hands are as many as the shrinking variants lose, and no allocation can do with fewer.

    Args:
        before: The allocation in effect.
        weights: The new weights of all variants in basis points, in declared order; they sum to 10,000.
        ramp_step: Which step of the ramp it is; None for none.
    """
    owners = _owners(before)
    surplus = [had - gets for had, gets in zip(before.weights(len(weights)), weights, strict=True)]
    free = []
    for bucket in range(len(owners) - 1, -1, -1):
        if surplus[owners[bucket]] > 0:
            surplus[owners[bucket]] -= 1
            free.append(bucket)
    for variant, lacking in enumerate(surplus):
        for _ in range(-lacking):
            owners[free.pop()] = variant
    end, ranges = 0, []
    for owner, run in groupby(owners):
        end += sum(1 for _ in run)
        ranges.append((end, owner))
    return AllocationRecord(before.generation + 1, tuple(ranges), ramp_step=ramp_step)


def moved_buckets(before: AllocationRecord, after: AllocationRecord) -> int:
    """Returns how many of the 10,000 buckets change hands."""
    return sum(one != other for one, other in zip(_owners(before), _owners(after), strict=True))


def _owners(allocation: AllocationRecord) -> list[int]:
    owners: list[int] = []
    for end, variant in allocation.ranges:
        owners += [variant] * (end - len(owners))
    return owners
