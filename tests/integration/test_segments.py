"""Levels end to end: outcomes are broken down by what agents say of their units, whatever happens to the sidecar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sidecar_processes import process
from sortition.client import Client
from sortition.demo.remote import Experimenter
from sortition.model.file import parse_experiment
from sortition.render import analysis_table
from sortition.rpc.v1 import analysis_pb2
from unit.render.search import text
from waiting import wait_until

EXPERIMENT = """
experiment: search
subject: {kind: agent, id: search-agent}
metrics:
  tokens: {kind: continuous, goal: minimize, role: primary}
  found: {kind: binary, goal: maximize}
variants:
  plain: {weight: 50, control: true}
  fancy: {weight: 50}
dimensions: {device: [mobile, desktop], plan: [free]}
decision: {min_samples: 100}
"""
DEVICES = ("mobile", "desktop", "watch", None)


@contextmanager
def running(target: str) -> Iterator[Experimenter]:
    experimenter = Experimenter(target)
    try:
        yield experimenter
    finally:
        experimenter.close()


def use(client: Client, units: range, truth: Counter[tuple[str, str, str]]) -> None:
    """Records two outcomes of each unit; counts what has to be there by dimension, level and variant."""
    for unit in units:
        device, plan = DEVICES[unit % 4], "free" if unit % 3 else "gold"
        with client.assign("search-agent", unit=unit, dimensions={"device": device, "country": "nl"}) as trial:
            # On mobiles the new variant costs half.
            saved = device == "mobile" and trial.variant == "fancy"
            trial.record(tokens=[50 + unit % 7 if saved else 100 + unit % 7] * 2, dimensions={"plan": plan})
        assert trial.error is None
        known = device if device in ("mobile", "desktop") else "other"
        truth["device", known, trial.variant] += 2
        truth["plan", plan if plan == "free" else "other", trial.variant] += 2


def counted(result: analysis_pb2.AnalysisResult) -> Counter[tuple[str, str, str]]:
    return Counter(
        {
            (segment.dimension, segment.level, each.variant): each.n
            for segment in result.segments
            for each in segment.metrics
            if each.metric == "tokens"
        }
    )


def test_outcomes_are_broken_down_exactly_once_whatever_happens_to_the_sidecar(tmp_path: Path) -> None:
    truth: Counter[tuple[str, str, str]] = Counter()
    with process(tmp_path / "state") as sidecar:
        target = sidecar.address()
        with running(target) as experimenter, Client(target, timeout_s=10, on_error="raise") as client:
            experimenter.start(parse_experiment(EXPERIMENT))
            wait_until(lambda: client.assign("search-agent", unit="x", expose=False).experiment == "search")
            use(client, range(120), truth)
            assert counted(experimenter.report("search").analysis) == truth
            # What follows is in the log alone when the process dies: it flushes only when it is asked for a report.
            use(client, range(120, 200), truth)
            assert client.stats.waiting == 0
    with process(tmp_path / "state") as sidecar:
        target = sidecar.address()
        with running(target) as experimenter, Client(target, timeout_s=10, on_error="raise") as client:
            use(client, range(200, 260), truth)
            report = experimenter.report("search")
    result = report.analysis
    assert counted(result) == truth
    for dimension in ("device", "plan"):
        assert sum(n for (name, _, _), n in truth.items() if name == dimension) == 520
    assert sum(each.n for each in result.metrics if each.metric == "tokens") == 520
    assert not [line for line in result.warnings if "knows no dimensions" in line]
    assert [(segment.dimension, segment.level) for segment in result.segments] == [
        ("device", "mobile"),
        ("device", "desktop"),
        ("device", "other"),
        ("plan", "free"),
        ("plan", "other"),
    ]
    found = {(each.dimension, each.level): each.comparisons[0] for each in result.segments}
    assert (found["device", "mobile"].significant, found["device", "mobile"].improvement) == (True, True)
    assert not found["device", "desktop"].significant
    assert "device mobile" in text(analysis_table(result, report.experiment), width=160)
