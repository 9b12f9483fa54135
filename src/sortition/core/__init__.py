"""The native core, for the rest of sortition: assignment, aggregation and the bytes -> bytes handlers of the hot path.

This package is the only door to `sortition._core`. Every error raised behind it is one of `sortition.errors`.
"""

from sortition._core import (
    BUCKETS,
    LIMITS,
    SUB_SKETCHES,
    UNIT_BUCKETS,
    Assignment,
    Cell,
    CellDelta,
    Engine,
    Exposure,
    SealedBatch,
    __version__,
    allocate,
    bucket,
    exposure_hash,
    file_identity,
    log_inspect,
    log_salvage,
    sketch_bins,
    sketch_quantiles,
    unit_bucket,
)

__all__ = [
    "BUCKETS",
    "LIMITS",
    "SUB_SKETCHES",
    "UNIT_BUCKETS",
    "Assignment",
    "Cell",
    "CellDelta",
    "Engine",
    "Exposure",
    "SealedBatch",
    "__version__",
    "allocate",
    "bucket",
    "exposure_hash",
    "file_identity",
    "log_inspect",
    "log_salvage",
    "sketch_bins",
    "sketch_quantiles",
    "unit_bucket",
]
