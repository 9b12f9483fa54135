"""The snapshot holds what is stored, and the same state gives the same bytes."""

from __future__ import annotations

import hashlib
from typing import Any

from sortition.core import Engine
from sortition.lifecycle import compile_snapshot
from sortition.model import ExperimentStatus, SubjectRef
from sortition.rpc.v1 import snapshot_pb2
from unit.lifecycle.world import World


def compiled(world: World) -> tuple[snapshot_pb2.Snapshot, snapshot_pb2.SnapshotContent]:
    with world.db.read() as tx:
        snapshot = snapshot_pb2.Snapshot.FromString(compile_snapshot(tx))
    return snapshot, snapshot_pb2.SnapshotContent.FromString(snapshot.content)


def configs(experiment: snapshot_pb2.SnapshotExperiment) -> dict[str, bytes]:
    return {variant.name: variant.config for variant in experiment.variants}


def test_an_empty_installation_has_a_snapshot_that_loads(world: World) -> None:
    snapshot, content = compiled(world)
    assert snapshot.version == 1, "0 is never used"
    assert content == snapshot_pb2.SnapshotContent()
    assert Engine(unit_key=b"k" * 32).load_snapshot(snapshot.SerializeToString())


def test_the_hash_is_that_of_the_content(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING)
    snapshot, _ = compiled(world)
    assert snapshot.content_hash == hashlib.sha256(snapshot.content).digest()


def test_the_version_grows_with_every_change_and_with_nothing_else(world: World) -> None:
    versions = [compiled(world)[0].version]
    for act in (
        lambda: world.create(),
        lambda: world.experiments.update(world.spec(name="x"), 0, world.ann),
        lambda: world.experiments.start("default", "search-strategy", world.ann),
        lambda: world.experiments.pause("default", "search-strategy", world.ann),
        lambda: world.experiments.cancel("default", "search-strategy", world.ann),
        lambda: world.experiments.archive("default", "search-strategy", world.ann),
        lambda: world.subjects.add_version("default", world.ref, {"a": 1}, world.ann),
        lambda: world.subjects.promote("default", world.ref, 2, world.ann),
        lambda: world.subjects.rollback("default", world.ref, world.ann),
        lambda: world.subjects.create("default", SubjectRef(kind="prompt", id="p"), {}, world.ann),
    ):
        act()
        versions.append(compiled(world)[0].version)
    assert versions == list(range(1, 12))
    world.experiments.create(world.spec(key="second"), world.ann, validate_only=True)
    world.experiments.analyze("default", "search-strategy")
    assert compiled(world)[0].version == 11


def test_a_running_experiment_as_the_hot_path_sees_it(world: World) -> None:
    world.subjects.create("default", world.ref, {"model": "m", "limits": {"depth": 1, "workers": 9}}, world.ann)
    metrics: list[dict[str, Any]] = [
        {"name": "t", "kind": "duration", "goal": "minimize", "role": "primary", "max": 60, "cap_max": 30},
        {"name": "bytes", "kind": "continuous", "goal": "minimize", "covariate": "size", "min": 0, "cap_min": 1},
        {"name": "steps", "kind": "count", "goal": "minimize", "quantiles": [0.5]},
        {"name": "ok", "kind": "binary", "goal": "maximize"},
        {"name": "cost", "kind": "ratio", "goal": "minimize"},
    ]
    record = world.standing(ExperimentStatus.RUNNING, metrics=metrics)
    _, content = compiled(world)
    [subject] = content.subjects
    assert (subject.organization, subject.ref.kind, subject.ref.id) == ("default", "agent", "search-agent")
    assert (subject.version, subject.config) == (1, b'{"limits":{"depth":1,"workers":9},"model":"m"}')
    [experiment] = content.experiments
    assert (experiment.id, experiment.organization, experiment.key) == (record.id, "default", "search-strategy")
    assert experiment.subject == subject.ref
    assert experiment.status == snapshot_pb2.EXPERIMENT_STATUS_RUNNING
    assert configs(experiment) == {
        "old": b'{"limits":{"depth":1,"workers":9},"model":"m","strategy":"one"}',
        "new": b'{"limits":{"depth":1,"workers":2},"model":"m","strategy":"all"}',
    }
    assert [(variant.name, variant.control) for variant in experiment.variants] == [("old", True), ("new", False)]
    assert list(experiment.metrics) == [
        snapshot_pb2.SnapshotMetric(
            name="t", kind=snapshot_pb2.METRIC_KIND_DURATION, max=60, cap_max=30, quantiles=True
        ),
        snapshot_pb2.SnapshotMetric(
            name="bytes", kind=snapshot_pb2.METRIC_KIND_CONTINUOUS, min=0, cap_min=1, covariate=True
        ),
        snapshot_pb2.SnapshotMetric(name="steps", kind=snapshot_pb2.METRIC_KIND_COUNT, quantiles=True),
        snapshot_pb2.SnapshotMetric(name="ok", kind=snapshot_pb2.METRIC_KIND_BINARY),
        snapshot_pb2.SnapshotMetric(name="cost", kind=snapshot_pb2.METRIC_KIND_RATIO),
    ]
    [allocation] = experiment.allocations
    assert allocation.generation == 1
    assert [(part.end, part.variant) for part in allocation.ranges] == [(5000, 0), (10000, 1)]


def test_each_status_is_told_and_the_archive_is_left_out(world: World) -> None:
    for status in ExperimentStatus:
        world.standing(status, key=str(status), subject=SubjectRef(kind="agent", id=f"of-{status}"))
    world.standing(ExperimentStatus.CANCELLED, archived=True, key="archived")
    _, content = compiled(world)
    told = {experiment.key: snapshot_pb2.ExperimentStatus.Name(experiment.status) for experiment in content.experiments}
    assert told == {str(status): f"EXPERIMENT_STATUS_{status.name}" for status in ExperimentStatus}
    answering = {experiment.key for experiment in content.experiments if set(configs(experiment).values()) != {b"{}"}}
    assert answering == {"running", "paused"}


def test_external_assignment_is_told(world: World) -> None:
    world.standing(ExperimentStatus.RUNNING, external_assignment=True)
    assert compiled(world)[1].experiments[0].external_assignment


def test_the_same_state_gives_the_same_bytes_in_whatever_order_it_was_made(world: World) -> None:
    for id in ("b", "a", "c"):
        world.create(key=f"of-{id}", subject=SubjectRef(kind="agent", id=id))
    once, content = compiled(world)
    assert compiled(world)[0] == once
    assert [subject.ref.id for subject in content.subjects] == ["a", "b", "c"]
    assert [experiment.id for experiment in content.experiments] == sorted(one.id for one in content.experiments)
