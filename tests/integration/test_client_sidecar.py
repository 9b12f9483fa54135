"""Clients and a real sidecar: what was recorded is what the analysis counts, whatever happens on the way."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sortition import errors
from sortition.client import AsyncClient, Client, Reason
from sortition.demo.processes import Child, start_sidecar
from sortition.demo.remote import Experimenter
from sortition.model.file import parse_experiment
from sortition.rpc.v1 import admin_pb2, admin_pb2_grpc
from waiting import wait_until

TEXT = """
experiment: {key}
subject: {{kind: agent, id: {subject}}}
metrics:
  tokens: {{kind: continuous, goal: minimize, role: primary}}
{more}
variants:
  plain:  {{weight: 50, control: true, config: {{style: plain}}}}
  fancy:  {{weight: 50, config: {{style: fancy, nested: {{a: [1, 2.5]}}}}}}
decision: {{min_samples: 100}}
"""
keys = (f"experiment-{number}" for number in itertools.count(1))


class Running:
    """A sidecar that a test can stop and start again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process: Child
        self.target = ""
        self.start()

    def start(self) -> None:
        self.process, self.target = start_sidecar(self.state)

    def stop(self) -> None:
        self.process.let_go()
        self.process.terminate(30)

    def experiment(self, *, metrics: str = "") -> tuple[str, str]:
        """Starts a new experiment on a new subject; returns both names."""
        key = next(keys)
        subject = f"agent-of-{key}"
        experimenter = Experimenter(self.target)
        experimenter.start(parse_experiment(TEXT.format(key=key, subject=subject, more=metrics)))
        experimenter.close()
        return key, subject

    def counts(self, key: str, metric: str) -> int:
        """Returns how many observations of a metric the analysis knows."""
        experimenter = Experimenter(self.target)
        analysis = experimenter.report(key).analysis
        experimenter.close()
        return sum(each.n for each in analysis.metrics if each.metric == metric)

    def units(self, key: str) -> int:
        experimenter = Experimenter(self.target)
        analysis = experimenter.report(key).analysis
        experimenter.close()
        return analysis.units

    def change(self, method: str, key: str) -> None:
        with grpc.insecure_channel(self.target) as channel:
            stub: Any = admin_pb2_grpc.AdminStub(channel)
            getattr(stub, method)(admin_pb2.ChangeExperimentRequest(key=key), timeout=10)


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """The sidecar's process imports what this one does, installed or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(errors.__file__).parents[1]))
        yield


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("state"))
    yield running
    running.stop()


@pytest.fixture
def client(sidecar: Running) -> Iterator[Client]:
    with Client(sidecar.target, timeout_s=10, on_error="raise") as made:
        yield made


class Lost(grpc.RpcError):
    """The answer of a call that was carried out."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "the answer got lost"

    def trailing_metadata(self) -> tuple[()]:
        return ()


def test_automatic_metrics_bother_no_experiment(sidecar: Running, client: Client) -> None:
    key, subject = sidecar.experiment()
    for unit in range(20):
        with client.assign(subject, unit=f"s{unit}") as trial:
            trial.record(tokens=unit)
    assert client.stats.observations == 20
    assert (sidecar.counts(key, "tokens"), sidecar.units(key)) == (20, 20)


def test_automatic_metrics_are_recorded_where_they_are_declared(sidecar: Running, client: Client) -> None:
    declared = "  duration: {kind: duration, unit: s, goal: minimize}\n  success: {kind: binary, goal: maximize}"
    key, subject = sidecar.experiment(metrics=declared)
    for unit in range(10):
        try:
            with client.assign(subject, unit=unit):
                if unit % 5 == 0:
                    raise KeyError(unit)
        except KeyError:
            pass
    experimenter = Experimenter(sidecar.target)
    metrics = experimenter.report(key).analysis.metrics
    experimenter.close()
    successes = [(each.n, each.mean) for each in metrics if each.metric == "success"]
    assert round(sum(n * mean for n, mean in successes)) == 8
    assert [sum(each.n for each in metrics if each.metric == name) for name in ("success", "duration")] == [10, 10]


def test_every_way_to_ask_gives_the_same_answer(sidecar: Running, client: Client) -> None:
    key, subject = sidecar.experiment()
    configs = {"plain": {"style": "plain"}, "fancy": {"style": "fancy", "nested": {"a": [1, 2.5]}}}
    seen = set()
    for unit in map(str, range(30)):
        asked = [
            client.assign(subject, unit=unit),
            client.assign(f"agent/{subject}", unit=unit),
            client.assign(experiment=key, unit=unit),
            client.assign(any_of=["prompt/nobody", subject], unit=unit, expose=False),
        ]
        assert {trial.variant for trial in asked} == {asked[0].variant}
        assert all(trial.config == configs[trial.variant] for trial in asked)
        assert [trial.exposed for trial in asked] == [True, True, True, False]
        assert {(trial.experiment, trial.reason) for trial in asked} == {(key, Reason.SPLIT)}
        seen.add(asked[0].variant)
    assert seen == set(configs)


def test_lost_answers_are_counted_once(sidecar: Running, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    key, subject = sidecar.experiment()
    carry_out = client._connection.call
    calls = itertools.count()

    def lossy(step: Any) -> Any:
        answer = carry_out(step)
        # Every other answer to a recording, and sometimes two in a row.
        if step.method == "Record" and next(calls) % 5 in (0, 2, 3):
            raise Lost
        return answer

    monkeypatch.setattr(client._connection, "call", lossy)

    def work(worker: int) -> None:
        for number in range(20):
            with client.assign(subject, unit=f"{worker}-{number}") as trial:
                trial.record(tokens=1)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert client.flush(10) == 0
    assert client.stats.duplicates >= 25
    assert client.stats.dropped == 0
    assert sidecar.counts(key, "tokens") == 80


def test_hundreds_of_sessions_at_once(sidecar: Running) -> None:
    key, subject = sidecar.experiment()

    async def session(client: AsyncClient, unit: str) -> None:
        async with client.assign(subject, unit=unit) as trial:
            await asyncio.sleep(0)
            trial.record(tokens=[1, 2])

    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=20, on_error="raise") as client:
            await asyncio.gather(*[session(client, f"s{number}") for number in range(500)])
            assert await client.flush(20) == 0
            assert client.stats.observations == 1000

    asyncio.run(main())
    assert (sidecar.counts(key, "tokens"), sidecar.units(key)) == (1000, 500)


def test_a_trial_of_more_observations_than_one_message_holds(sidecar: Running, client: Client) -> None:
    key, subject = sidecar.experiment()
    with client.assign(subject, unit="s1") as trial:
        trial.record(tokens=range(9_000))
    assert sidecar.counts(key, "tokens") == 9_000


def test_a_paused_experiment_gives_the_control_and_counts_nothing(sidecar: Running, client: Client) -> None:
    key, subject = sidecar.experiment()
    before = client.assign(subject, unit="s1")
    before.record(tokens=1)
    sidecar.change("PauseExperiment", key)
    with client.assign(subject, unit="s2") as trial:
        trial.record(tokens=1)
    assert (trial.reason, trial.variant, trial.config, trial.exposed) == (
        Reason.PAUSED,
        "plain",
        {"style": "plain"},
        False,
    )
    # It was given its variant before the pause, and counts.
    before.finish()
    assert (sidecar.counts(key, "tokens"), sidecar.units(key)) == (1, 1)


def test_the_sidecars_errors_arrive_whole(sidecar: Running, client: Client) -> None:
    key, subject = sidecar.experiment()
    with pytest.raises(errors.NotFound, match="nobody"):
        client.assign("nobody", unit="s1")
    with pytest.raises(errors.InvalidArgument) as caught:
        client.assign(subject, unit="x" * 513)
    assert [violation.field for violation in caught.value.violations] == ["unit"]
    with pytest.raises(errors.InvalidArgument) as caught:
        client.record(key, {"tokenz": 1, "tokens": 2}, unit="s1")
    assert "tokenz" in caught.value.message
    assert [violation.field for violation in caught.value.violations] == ["outcome.observations[0].metric"]
    assert sidecar.counts(key, "tokens") == 0


def test_a_restarted_sidecar_gets_everything_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortition.client.protocol.CIRCUIT_PAUSE_S", 0.05)
    monkeypatch.setenv("SORTITION_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("SORTITION_TARGET", raising=False)
    sidecar = Running(tmp_path)
    try:
        key, subject = sidecar.experiment()
        # No target: the client finds the sidecar, and finds it again at its next address.
        with Client(timeout_s=0.2, defaults={subject: {"style": "safe"}}) as client:
            trials = [client.assign(subject, unit=f"s{number}") for number in range(30)]
            for trial in trials:
                assert trial.reason is Reason.SPLIT
                trial.record(tokens=1)
            for trial in trials[:10]:
                trial.finish()
            sidecar.stop()
            for trial in trials[10:20]:
                trial.finish()
            away = client.assign(subject, unit="another")
            assert (away.reason, away.config) == (Reason.DEFAULT, {"style": "safe"})
            assert client.stats.waiting == 10
            sidecar.start()
            wait_until(lambda: client.assign(subject, unit="s0").reason is Reason.SPLIT)
            for trial in trials[20:]:
                trial.finish()
            wait_until(lambda: client.flush() == 0)
            assert (client.stats.recorded, client.stats.dropped) == (30, 0)
        assert (sidecar.counts(key, "tokens"), sidecar.units(key)) == (30, 30)
    finally:
        sidecar.stop()
