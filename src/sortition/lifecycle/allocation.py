"""The first allocation of an experiment: its weights as ranges of buckets."""

from __future__ import annotations

from itertools import accumulate

from sortition.model import ExperimentSpec
from sortition.store.records import AllocationRecord

__all__ = ["first_allocation"]


def first_allocation(spec: ExperimentSpec) -> AllocationRecord:
    """Returns generation 1: in declared order, each variant gets as many buckets as it has basis points.

    Args:
        spec: The specification; its weights sum to 10,000 basis points.
    """
    ends = accumulate(variant.basis_points for variant in spec.variants)
    # A variant without weight has no range, as none is empty.
    return AllocationRecord(
        generation=1,
        ranges=tuple(
            (end, index)
            for index, (variant, end) in enumerate(zip(spec.variants, ends, strict=True))
            if variant.basis_points
        ),
    )
