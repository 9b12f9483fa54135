"""An engine that flushes into a database, and knows what should be in it."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter

from sortition.core import Engine
from sortition.flusher import Flusher, FlushState
from sortition.rpc.v1 import assignment_pb2, recording_pb2, snapshot_pb2
from sortition.state import Identity
from sortition.store import BatchWriter, Database
from store_samples import contents

__all__ = ["Recorder", "stored"]

VARIANTS = ("control", "treatment")
DEVICES = ("mobile", "desktop", "watch")


def snapshot() -> bytes:
    experiment = snapshot_pb2.SnapshotExperiment(
        id="exp-1",
        organization="default",
        key="search",
        status=snapshot_pb2.EXPERIMENT_STATUS_RUNNING,
        variants=[
            snapshot_pb2.SnapshotVariant(name=name, control=name == "control", config=b"{}") for name in VARIANTS
        ],
        metrics=[
            snapshot_pb2.SnapshotMetric(name="seconds", kind=snapshot_pb2.METRIC_KIND_DURATION, quantiles=True),
            snapshot_pb2.SnapshotMetric(name="found", kind=snapshot_pb2.METRIC_KIND_BINARY),
        ],
        allocations=[
            snapshot_pb2.SnapshotAllocation(
                generation=1,
                ranges=[
                    snapshot_pb2.BucketRange(end=5000, variant=0),
                    snapshot_pb2.BucketRange(end=10_000, variant=1),
                ],
            )
        ],
        dimensions=[snapshot_pb2.SnapshotDimension(name="device", levels=DEVICES[:2])],
    )
    experiment.subject.kind = "agent"
    experiment.subject.id = "a"
    subject = snapshot_pb2.SnapshotSubject(organization="default", version=1, config=b"{}")
    subject.ref.CopyFrom(experiment.subject)
    content = snapshot_pb2.SnapshotContent(subjects=[subject], experiments=[experiment]).SerializeToString()
    return snapshot_pb2.Snapshot(
        version=1, content_hash=hashlib.sha256(content).digest(), content=content
    ).SerializeToString()


class Recorder:
    """An engine with its place in a database, and a count of its own of what it was told."""

    def __init__(
        self, url: str, name: str = "one", *, owner: str = "", timeout_s: float = 5, interval_s: float = 0.02
    ) -> None:
        self.db = Database.open(url, timeout_s=timeout_s)
        self.engine = Engine(unit_key=self.db.installation_key)
        assert self.engine.load_snapshot(snapshot())
        self.writer = BatchWriter(self.db, Identity(name, owner) if owner else name)
        self.changes: list[FlushState] = []
        self.flusher = Flusher(self.engine, self.writer, interval_s=interval_s, on_change=self.note)
        self.truth: Counter[str] = Counter()

    def note(self) -> None:
        self.changes.append(self.flusher.state)
        self.after_flush()

    def after_flush(self) -> None:
        """Does nothing; a test may do something."""

    def use(self, unit: str, seconds: float = 1.0) -> str:
        """Assigns a unit and records its outcome; returns its variant."""
        asked = assignment_pb2.AssignRequest(experiment="search", unit=unit).SerializeToString()
        variant = assignment_pb2.AssignResponse.FromString(self.engine.assign(asked)).variant
        outcome = recording_pb2.Outcome(experiment="search", unit=unit, variant=variant)
        outcome.dimensions["device"] = DEVICES[zlib.crc32(unit.encode()) % len(DEVICES)]
        outcome.observations.add(metric="seconds", number=seconds)
        outcome.observations.add(metric="found", flag=True)
        told = recording_pb2.RecordRequest(outcome=outcome).SerializeToString()
        assert recording_pb2.RecordResponse.FromString(self.engine.record(told)).accepted == 2
        self.truth[variant] += 1
        return variant

    def close(self) -> None:
        self.flusher.stop(10)
        self.db.close()


def stored(db: Database) -> Counter[str]:
    """Returns the observations of each variant; metrics and levels have to agree, as they were recorded together."""
    counts: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}
    levels: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}
    found = contents(db)
    for row in found["cells"]:
        counts[row[2]][VARIANTS[row[1]]] += row[5]
    for row in found["segment_cells"]:
        levels[row[2]][VARIANTS[row[1]]] += row[5]
    assert counts[0] == counts[1]
    assert levels == counts
    return counts[0]
