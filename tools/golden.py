"""Keeps a state directory in the format of this version, for later versions to open.

python tools/golden.py 0.1.0    makes tests/golden/0.1.0 with the code of this version; once for each release

A sidecar is started, spoken to over the wire and killed with outcomes in its log, so that nothing here depends on how
a version keeps what. What is expected is worked out from how the outcomes are made; the code that stores them is not
asked.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc

from sortition.locations import endpoint_file
from sortition.model import ExperimentSpec, validate
from sortition.model.wire import spec_to_proto
from sortition.rpc.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    assignment_pb2,
    assignment_pb2_grpc,
    common_pb2,
    recording_pb2,
    recording_pb2_grpc,
)

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ADA = admin_pb2.Actor(name="ada", reason="to keep it")
WRITER = "golden"
SUBJECT = common_pb2.SubjectRef(kind="agent", id="search-agent")
OTHER = common_pb2.SubjectRef(kind="agent", id="answer-agent")
UNITS = 400
ASSIGNED = 60
LEFT = 30
"""Outcomes that are in the log alone when the sidecar is killed."""
WAIT_S = 30


@dataclass(frozen=True)
class Outcome:
    """What one unit did, on which day after the first."""

    unit: str
    variant: str
    day: int
    values: dict[str, int]

    def message(self, experiment: str) -> recording_pb2.Outcome:
        """Returns it as it is sent."""
        at = START + timedelta(days=self.day)
        sent = recording_pb2.Outcome(experiment=experiment, unit=self.unit, variant=self.variant)
        sent.occurred_at_ms = int(at.timestamp() * 1000)
        for metric, value in self.values.items():
            sent.observations.add(metric=metric, number=value)
        return sent


def outcomes() -> Iterator[Outcome]:
    """Yields two days of outcomes: of the old variant every fourth passes, of the new one the three others do."""
    for number in range(UNITS):
        variant = ("old", "new")[number % 2]
        passed = (number // 2 % 4 == 0) == (variant == "old")
        values = {"passed": int(passed), "tokens": number, "time": 1 + number % 8}
        yield Outcome(f"unit-{number}", variant, number * 2 // UNITS, values)


def specs() -> tuple[ExperimentSpec, ...]:
    """Returns the experiment whose variants are named by the outcomes, the one that assigns, and that of the log."""
    named: dict[str, Any] = {
        "key": "prompts",
        "subject": {"kind": SUBJECT.kind, "id": SUBJECT.id},
        "hypothesis": "Shorter prompts pass more often – für alle.",
        "external_assignment": True,
        "metrics": [
            {"name": "passed", "kind": "binary", "goal": "maximize", "role": "primary"},
            {"name": "tokens", "kind": "count", "goal": "minimize", "role": "secondary"},
            {"name": "time", "kind": "duration", "goal": "minimize", "role": "secondary"},
        ],
        "variants": [
            {"name": "old", "weight": 50, "control": True, "config": {"prompt": "long"}},
            {"name": "new", "weight": 50, "config": {"prompt": "short", "ratio": 0.1}},
        ],
        "decision": {"min_samples": 100},
    }
    assigning: dict[str, Any] = {
        "key": "ranking",
        "subject": {"kind": OTHER.kind, "id": OTHER.id},
        "metrics": [{"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}],
        "variants": [
            {"name": "plain", "weight": 30, "control": True, "config": {"rank": 1}},
            {"name": "fancy", "weight": 70, "config": {"rank": 2}},
        ],
    }
    waiting = {**named, "key": "waiting", "subject": {"kind": "agent", "id": "late-agent"}}
    return tuple(validate(ExperimentSpec, raw) for raw in (named, assigning, waiting))


def expected(ids: dict[str, str]) -> dict[str, Any]:
    """Returns what whoever opens the directory has to find.

    Args:
        ids: Of each experiment; they decide who is assigned what.
    """
    cells: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    units: dict[str, int] = defaultdict(int)
    for outcome in outcomes():
        units[outcome.variant] += 1
        for metric, value in outcome.values.items():
            cell = cells[outcome.variant, metric, outcome.day]
            cell[0] += 1
            cell[1] += value
    # As the assignment is specified: four bytes of SHA-256, of 10,000 buckets the first 3,000 for the first variant.
    ranked = [hashlib.sha256(f"{ids['ranking']}:session-{number}".encode()).digest() for number in range(ASSIGNED)]
    plain = sum(int.from_bytes(digest[:4], "big") % 10_000 < 3_000 for digest in ranked)
    first = START.toordinal() - datetime(1970, 1, 1).toordinal()
    return {
        "writer": WRITER,
        "experiments": {
            "prompts": {"id": ids["prompts"], "status": "completed", "winner": "new", "units": dict(units)},
            "ranking": {
                "id": ids["ranking"],
                "status": "paused",
                "winner": "",
                "units": {"plain": plain, "fancy": ASSIGNED - plain},
            },
        },
        "cells": [
            {"variant": variant, "metric": metric, "day": first + day, "n": n, "sum": total}
            for (variant, metric, day), (n, total) in sorted(cells.items())
        ],
        "left": {"waiting": {"old": LEFT // 2, "new": LEFT // 2}},
        "versions": [{"prompt": "long", "depth": 2}, {"prompt": "short", "ratio": 0.1, "depth": 2}],
        "current": 2,
        "acts": [
            ["subject.create", "subject/agent/search-agent"],
            ["subject.create", "subject/agent/answer-agent"],
            ["subject.create", "subject/agent/late-agent"],
            *([f"experiment.{act}", f"experiment/{key}"] for key in ids for act in ("create", "start")),
            ["experiment.pause", "experiment/ranking"],
            ["subject.promote", "subject/agent/search-agent"],
            ["experiment.complete", "experiment/prompts"],
        ],
    }


@contextmanager
def running(directory: Path) -> Iterator[grpc.Channel]:
    """Runs a sidecar that stores nothing by itself, and kills it at the end."""
    command = [sys.executable, "-m", "sortition", "serve", "--listen", "127.0.0.1:0", "--flush-interval-s", "3600"]
    process = subprocess.Popen([*command, "--state-dir", str(directory), "--writer", WRITER])
    try:
        endpoint, deadline = endpoint_file(directory), time.monotonic() + WAIT_S
        while not endpoint.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the sidecar did not start")
            time.sleep(0.05)
        with grpc.insecure_channel(endpoint.read_text().strip()) as channel:
            yield channel
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def build(directory: Path) -> dict[str, str]:
    """Fills a state directory with the code of this version; returns the ids of the experiments."""
    with running(directory) as channel:
        admin = admin_pb2_grpc.AdminStub(channel)
        recording = recording_pb2_grpc.RecordingStub(channel)
        assignment = assignment_pb2_grpc.AssignmentStub(channel)
        configs: list[tuple[common_pb2.SubjectRef, dict[str, Any]]] = [
            (SUBJECT, {"prompt": "long", "depth": 2}),
            (OTHER, {"rank": 0}),
            (common_pb2.SubjectRef(kind="agent", id="late-agent"), {}),
        ]
        for ref, config in configs:
            admin.CreateSubject(admin_pb2.CreateSubjectRequest(ref=ref, config=config, actor=ADA), timeout=WAIT_S)
        ids = {}
        for spec in specs():
            request = admin_pb2.CreateExperimentRequest(spec=spec_to_proto(spec), actor=ADA)
            ids[spec.key] = admin.CreateExperiment(request, timeout=WAIT_S).id
            admin.StartExperiment(admin_pb2.ChangeExperimentRequest(key=spec.key, actor=ADA), timeout=WAIT_S)
        for number in range(ASSIGNED):
            asked = assignment_pb2.AssignRequest(experiment="ranking", unit=f"session-{number}")
            assignment.Assign(asked, timeout=WAIT_S)
        admin.PauseExperiment(admin_pb2.ChangeExperimentRequest(key="ranking", actor=ADA), timeout=WAIT_S)
        messages = [outcome.message("prompts") for outcome in outcomes()]
        recording.RecordBatch(recording_pb2.RecordBatchRequest(outcomes=messages), timeout=WAIT_S)
        completed = admin_pb2.CompleteExperimentRequest(key="prompts", actor=ADA, ship=True)
        admin.CompleteExperiment(completed, timeout=WAIT_S)
        late = [outcome.message("waiting") for outcome, _ in zip(outcomes(), range(LEFT), strict=False)]
        recording.RecordBatch(recording_pb2.RecordBatchRequest(outcomes=late), timeout=WAIT_S)
    for name in ("lock", "endpoint"):
        (directory / name).unlink(missing_ok=True)
    return ids


def pack(directory: Path, archive: Path) -> None:
    """Packs a directory; owners and times of the files are nobody's business."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for path in sorted(directory.iterdir()):
            tar.add(path, arcname=path.name, filter=plain)
    archive.write_bytes(packed.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="the version whose format it is")
    arguments = parser.parse_args()
    target = GOLDEN / arguments.version
    if target.exists():
        sys.exit(f"{target} exists; the format of a released version does not change: give the new version's number")
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "state"
        text = json.dumps(expected(build(directory)), indent=1, ensure_ascii=False) + "\n"
        target.mkdir(parents=True)
        pack(directory, target / "state.tar.xz")
    (target / "expected.json").write_text(text)
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
