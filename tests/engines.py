"""Engines to test, with one experiment that has a metric of each shape."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sortition.core import Engine
from sortition.rpc.v1 import snapshot_pb2 as pb
from sortition.rpc.v1.common_pb2 import SubjectRef

KEY = b"a key of at least 16 bytes"
# 2026-01-02, a second after midnight UTC.
TODAY = 20_455
NOW_MS = TODAY * 86_400_000 + 1_000
METRICS = (
    pb.SnapshotMetric(name="score", kind=pb.METRIC_KIND_CONTINUOUS),
    pb.SnapshotMetric(name="success", kind=pb.METRIC_KIND_BINARY),
    pb.SnapshotMetric(name="time", kind=pb.METRIC_KIND_DURATION, quantiles=True, cap_max=60.0),
)


def experiment(
    key: str = "search",
    status: pb.ExperimentStatus = pb.EXPERIMENT_STATUS_RUNNING,
    *,
    external: bool = False,
    weights: Sequence[int] = (5_000, 5_000),
) -> pb.SnapshotExperiment:
    """Makes an experiment with variants v0 (the control), v1, … of these weights in basis points."""
    made = pb.SnapshotExperiment(
        id=f"id-of-{key}",
        organization="default",
        key=key,
        subject=SubjectRef(kind="agent", id=key),
        status=status,
        external_assignment=external,
        metrics=METRICS,
    )
    allocation = made.allocations.add(generation=1)
    end = 0
    for index, weight in enumerate(weights):
        made.variants.add(name=f"v{index}", control=index == 0, config=f'{{"variant": {index}}}'.encode())
        end += weight
        allocation.ranges.add(end=end, variant=index)
    return made


def snapshot(version: int, *experiments: pb.SnapshotExperiment) -> bytes:
    """Serializes a snapshot of these experiments and their subjects."""
    content = pb.SnapshotContent(experiments=experiments)
    for one in experiments:
        content.subjects.add(organization=one.organization, ref=one.subject, version=3, config=b'{"current": true}')
    data = content.SerializeToString()
    return pb.Snapshot(version=version, content=data, content_hash=hashlib.sha256(data).digest()).SerializeToString()


def loaded_engine(*experiments: pb.SnapshotExperiment, limits: dict[str, int] | None = None) -> Engine:
    """Makes an engine that has loaded version 1 of a snapshot, of one running experiment unless told otherwise."""
    engine = Engine(unit_key=KEY, limits=limits)
    assert engine.load_snapshot(snapshot(1, *(experiments or (experiment(),))))
    return engine
