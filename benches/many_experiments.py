"""Snapshots of any size, without a database."""

from __future__ import annotations

import hashlib

from sortition.rpc.v1 import common_pb2, snapshot_pb2


def snapshot(*, experiments: int, version: int = 1) -> bytes:
    """Returns a serialized snapshot of running experiments ``experiment-0``…, each an even split of two variants."""
    content = snapshot_pb2.SnapshotContent()
    for index in range(experiments):
        ref = common_pb2.SubjectRef(kind="agent", id=f"agent-{index}")
        content.subjects.add(organization="default", ref=ref, version=1, config=b"{}")
        content.experiments.add(
            id=f"id-{index}",
            organization="default",
            key=f"experiment-{index}",
            subject=ref,
            status=snapshot_pb2.EXPERIMENT_STATUS_RUNNING,
            variants=[
                snapshot_pb2.SnapshotVariant(name="control", control=True, config=b'{"strategy":"one"}'),
                snapshot_pb2.SnapshotVariant(name="treatment", config=b'{"strategy":"two"}'),
            ],
            metrics=[
                snapshot_pb2.SnapshotMetric(name="latency", kind=snapshot_pb2.METRIC_KIND_DURATION, quantiles=True),
                snapshot_pb2.SnapshotMetric(name="success", kind=snapshot_pb2.METRIC_KIND_BINARY),
            ],
            allocations=[
                snapshot_pb2.SnapshotAllocation(
                    generation=1,
                    ranges=[
                        snapshot_pb2.BucketRange(end=5000, variant=0),
                        snapshot_pb2.BucketRange(end=10000, variant=1),
                    ],
                )
            ],
        )
    body = content.SerializeToString()
    message = snapshot_pb2.Snapshot(version=version, content_hash=hashlib.sha256(body).digest(), content=body)
    return message.SerializeToString()
