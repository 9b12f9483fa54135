"""The three lines of an agent, and what comes of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sortition.client import Client, Reason
from sortition.errors import InvalidArgument, ResourceExhausted, SidecarUnavailable
from sortition.rpc.v1 import assignment_pb2


@pytest.fixture
def client(sidecar: Any) -> Iterator[Client]:
    with Client(sidecar.target, timeout_s=5) as made:
        yield made


def test_a_trial_says_what_the_sidecar_answered(sidecar: Any, client: Client) -> None:
    trial = client.assign("search-agent", unit="s1")
    assert trial.config == {"strategy": "combined"}
    assert (trial.experiment, trial.variant, trial.reason) == ("search-strategy", "combined", Reason.SPLIT)
    assert trial.exposed
    assert trial.error is None
    assert (trial.answer.bucket, trial.answer.subject, trial.answer.snapshot_version) == (4711, "agent/search-agent", 3)
    (request,) = sidecar.assigned
    assert (request.subject.kind, request.subject.id, request.unit) == ("agent", "search-agent", "s1")
    assert (request.organization, request.HasField("expose")) == ("default", False)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(number, name.removeprefix("REASON_").lower()) for name, number in assignment_pb2.Reason.items() if number],
)
def test_every_reason_of_the_contract_has_a_name(number: int, reason: str) -> None:
    assert Reason.from_wire(number).value == reason


def test_a_reason_from_the_future_is_other(sidecar: Any, client: Client) -> None:
    sidecar.answer.reason = 99
    with client.assign("search-agent", unit="s1") as trial:
        assert trial.reason is Reason.OTHER
        assert trial.config == {"strategy": "combined"}
    assert sidecar.arrived == []


def test_everything_is_sent_in_one_call_when_the_block_is_left(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(tokens=812, found=True)
        trial.record({"query.latency": [3.5, 4.5]}, cost=0.25)
        assert sidecar.arrived == []
    (outcome,) = sidecar.recorded
    assert (outcome.experiment, outcome.unit, outcome.variant) == ("search-strategy", "s1", "combined")
    sent = [(each.metric, each.if_declared) for each in outcome.observations]
    assert sent == [
        ("tokens", False),
        ("found", False),
        ("query.latency", False),
        ("query.latency", False),
        ("cost", False),
        ("duration", True),
        ("success", True),
    ]
    values = [each.number for each in outcome.observations]
    assert values[0] == 812
    assert outcome.observations[1].flag is True
    assert values[2:5] == [3.5, 4.5, 0.25]
    assert client.stats.recorded == 1


def test_the_duration_is_that_of_the_block(sidecar: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("sortition.client.measure.time.perf_counter", lambda: now[0])
    trial = client.assign("search-agent", unit="s1", duration="latency", duration_unit="ms")
    now[0] = 107.0
    with trial:
        now[0] = 107.25
    assert sidecar.metrics == [{"latency": 250.0, "success": 1.0}]


def test_an_exception_is_a_failure_and_goes_on(sidecar: Any, client: Client) -> None:
    def fail() -> None:
        with client.assign("search-agent", unit="s1") as trial:
            trial.record(tokens=3)
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fail()
    (metrics,) = sidecar.metrics
    assert (metrics["success"], metrics["tokens"]) == (0.0, 3.0)


def test_a_trial_can_fail_without_an_exception(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.fail()
    assert sidecar.metrics[0]["success"] == 0.0


def test_what_is_recorded_by_hand_is_not_recorded_again(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(duration=1.5, success=False)
    (outcome,) = sidecar.recorded
    assert sidecar.metrics == [{"duration": 1.5, "success": 0.0}]
    assert not any(each.if_declared for each in outcome.observations)


def test_automatic_metrics_can_be_turned_off(sidecar: Any) -> None:
    with Client(sidecar.target, timeout_s=5, duration="", success="") as client:
        with client.assign("search-agent", unit="s1") as trial:
            trial.record(tokens=1)
        with client.assign("search-agent", unit="s2"):
            pass
    assert sidecar.metrics == [{"tokens": 1.0}]


def test_observations_carry_denominator_and_covariate(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.observe("clicks", 3, denominator=10)
        trial.observe("cost", 0.5, covariate=0.4)
    first, second, *_ = sidecar.recorded[0].observations
    assert (first.number, first.denominator, first.HasField("covariate")) == (3.0, 10.0, False)
    assert (second.covariate, second.HasField("denominator")) == (0.4, False)


def test_many_observations_are_still_one_call(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(latency=range(600))
    assert len(sidecar.arrived) == 1
    assert [len(outcome.observations) for outcome in sidecar.recorded] == [256, 256, 90]
    sent = [each.number for outcome in sidecar.recorded for each in outcome.observations if each.metric == "latency"]
    assert sent == [float(each) for each in range(600)]


def test_a_trial_is_bounded(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(latency=range(9_999))
        trial.record(latency=[1, 2])
        trial.record(latency=1)
    assert client.stats.refused == 1
    sent = [each.number for outcome in sidecar.recorded for each in outcome.observations if each.metric == "latency"]
    assert len(sent) == 10_000


def test_a_trial_ends_once(sidecar: Any, client: Client) -> None:
    trial = client.assign("search-agent", unit="s1")
    trial.finish(failed=True)
    trial.finish()
    with trial:
        pass
    assert [metrics["success"] for metrics in sidecar.metrics] == [0.0]


@pytest.mark.parametrize("reason", ["PAUSED", "NO_EXPERIMENT", "NOT_TARGETED", "HOLDOUT", "FORCED"])
def test_only_units_that_chance_assigned_are_recorded(sidecar: Any, client: Client, reason: str) -> None:
    sidecar.answer.reason = assignment_pb2.Reason.Value(f"REASON_{reason}")
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(tokens=1)
        assert not trial.recording
        assert trial.config == {"strategy": "combined"}
    assert sidecar.arrived == []


def test_subjects_of_other_kinds_experiments_and_candidates(sidecar: Any, client: Client) -> None:
    client.assign("prompt/greeting", unit="s1")
    client.assign(experiment="search-strategy", unit="s1")
    client.assign(any_of=["prompt/a", "b"], unit="s1")
    client.assign(any_of=["prompt/a"], unit="s1")
    first, second, third, fourth = sidecar.assigned
    assert (first.subject.kind, first.subject.id) == ("prompt", "greeting")
    assert second.experiment == "search-strategy"
    assert [(each.kind, each.id) for each in third.any_of.subjects] == [("prompt", "a"), ("agent", "b")]
    assert fourth.WhichOneof("target") == "any_of"


def test_exactly_one_thing_is_assigned(client: Client) -> None:
    wrongs: list[dict[str, Any]] = [{}, {"experiment": "a", "any_of": ["b"]}, {"any_of": "prompt/a"}, {"experiment": 5}]
    for wrong in wrongs:
        with pytest.raises(TypeError):
            client.assign(unit="s1", **wrong)


def test_units_are_texts_integers_or_uuids(sidecar: Any, client: Client) -> None:
    some = uuid.UUID(int=5)
    client.assign("search-agent", unit=7)
    client.assign("search-agent", unit=some)
    assert [request.unit for request in sidecar.assigned] == ["7", str(some)]


@pytest.mark.parametrize("unit", [None, True, 1.5, b"s1", "\ud800"])
def test_other_units_get_the_default(sidecar: Any, unit: object) -> None:
    with Client(sidecar.target, defaults={"search-agent": {"strategy": "sequential"}}) as client:
        trial = client.assign("search-agent", unit=unit)
    assert (trial.reason, trial.config) == (Reason.DEFAULT, {"strategy": "sequential"})
    assert isinstance(trial.error, InvalidArgument)
    assert trial.error.violations[0].field == "unit"
    assert sidecar.assigned == []


def test_exposure_can_be_told_later(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1", expose=False) as trial:
        assert not trial.exposed
        assert trial.expose()
    assert sidecar.assigned[0].expose is False
    assert [(each.experiment, each.unit) for each in sidecar.exposed] == [("search-strategy", "s1")]
    assert len(sidecar.recorded) == 1


@pytest.mark.parametrize("value", ["12", None, float("nan"), float("inf"), 1j, {"a": 1}, 10**400, ["12"]])
def test_values_that_are_no_numbers_are_refused_without_harm(sidecar: Any, client: Client, value: Any) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(tokens=1)
        trial.record(cost=value, other=3)
    (metrics,) = sidecar.metrics
    assert set(metrics) == {"tokens", "duration", "success"}
    assert client.stats.refused == 1


def test_values_that_are_no_numbers_raise_if_wanted(sidecar: Any) -> None:
    with Client(sidecar.target, timeout_s=5, on_error="raise") as client:
        trial = client.assign("search-agent", unit="s1")
        with pytest.raises(InvalidArgument) as caught:
            trial.record(cost=float("nan"), tokens="x", fine=1)  # type: ignore[arg-type]
        assert [violation.field for violation in caught.value.violations] == ["cost", "tokens"]
        with pytest.raises(ResourceExhausted, match="10000 observations"):
            trial.record(latency=range(10_001))
        with pytest.raises(InvalidArgument):
            client.record("search-strategy", {"cost": "x"}, unit="s1")  # type: ignore[dict-item]


def test_numbers_of_other_libraries_count(sidecar: Any, client: Client) -> None:
    numpy = pytest.importorskip("numpy")
    with client.assign("search-agent", unit="s1") as trial:
        trial.record(tokens=numpy.int64(3), cost=numpy.array([0.5, 1.5]), one=numpy.array(2.5))
    values = [(each.metric, each.number) for each in sidecar.recorded[0].observations[:4]]
    assert values == [("tokens", 3.0), ("cost", 0.5), ("cost", 1.5), ("one", 2.5)]


def test_an_outcome_can_come_later(sidecar: Any, client: Client) -> None:
    client.record("search-strategy", {"rating": 4}, unit="s1", variant="combined")
    client.record("search-strategy", {}, unit="s1")
    (outcome,) = sidecar.recorded
    assert (outcome.experiment, outcome.unit, outcome.variant) == ("search-strategy", "s1", "combined")
    assert sidecar.metrics == [{"rating": 4.0}]


def test_each_trial_has_its_own_config(sidecar: Any, client: Client) -> None:
    first = client.assign("search-agent", unit="s1")
    first.config["strategy"] = "changed"
    assert client.assign("search-agent", unit="s2").config == {"strategy": "combined"}


def test_a_known_config_is_not_sent_again(sidecar: Any, client: Client) -> None:
    for config in (b'{"a":1}', b'{"a":2}', b'{"a":1}', b'{"a":2}'):
        sidecar.config = config
        assert client.assign("search-agent", unit="s1").config == {"a": int(config[5:6])}
    client.assign("prompt/other", unit="s1")
    assert sidecar.sent_configs == [True, True, False, False, True]


@pytest.mark.parametrize("config", [b"", b"[1]", b"{", b"\xff"])
def test_a_config_that_is_none_gives_the_default(sidecar: Any, client: Client, config: bytes) -> None:
    sidecar.config = config
    trial = client.assign("search-agent", unit="s1")
    assert (trial.reason, trial.config) == (Reason.DEFAULT, {})
    assert trial.error is not None
    assert "config" in trial.error.message


def test_a_closed_client_answers_with_defaults(sidecar: Any) -> None:
    client = Client(sidecar.target, defaults={"agent/search-agent": {"a": 1}})
    trial = client.assign("search-agent", unit="s1")
    client.close()
    client.close()
    trial.finish()
    assert client.assign("search-agent", unit="s1").config == {"a": 1}
    assert (client.stats.dropped, client.stats.waiting) == (1, 0)


@pytest.mark.parametrize(
    "wrong", [{"on_error": "ignore"}, {"timeout_s": 0}, {"buffer_size": -1}, {"duration_unit": "minutes"}]
)
def test_arguments_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Client("127.0.0.1:1", **wrong)


def test_the_inner_error_is_not_hidden_by_a_failed_delivery(sidecar: Any) -> None:
    def fail(client: Client) -> None:
        with client.assign("search-agent", unit="s1"):
            raise KeyError("inside")

    with Client(sidecar.target, timeout_s=0.2, on_error="raise") as client:
        sidecar.misbehave("Record", sidecar.hang)
        with pytest.raises(KeyError, match="inside"):
            fail(client)
        assert client.stats.waiting == 1
        with pytest.raises(SidecarUnavailable):
            client.assign("search-agent", unit="s2")


def test_outcomes_say_what_they_are_broken_down_by(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1", dimensions={"device": "mobile", "plan": None}) as trial:
        trial.record(tokens=1)
        trial.record(dimensions={"intent": "buy", "device": "tablet"}, cost=2.5)
    with client.assign("search-agent", unit="s2") as trial:
        trial.record(tokens=1)
    assert [dict(outcome.dimensions) for outcome in sidecar.recorded] == [{"device": "tablet", "intent": "buy"}, {}]
    assert "dimensions" not in sidecar.metrics[0]


def test_every_outcome_of_a_large_trial_says_it(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1", dimensions={"device": "mobile"}) as trial:
        trial.record(tokens=list(range(600)))
    assert [dict(outcome.dimensions) for outcome in sidecar.recorded] == [{"device": "mobile"}] * 3


def test_a_metric_may_be_called_as_the_argument_is(sidecar: Any, client: Client) -> None:
    with client.assign("search-agent", unit="s1") as trial:
        trial.record({"dimensions": 3.0})
    assert sidecar.metrics[0]["dimensions"] == 3.0


def test_what_became_known_later_says_it_too(sidecar: Any, client: Client) -> None:
    client.record("search-strategy", {"rating": 4}, unit="s1", variant="combined", dimensions={"device": "mobile"})
    (outcome,) = sidecar.recorded
    assert dict(outcome.dimensions) == {"device": "mobile"}


@pytest.mark.parametrize(
    ("dimensions", "told"),
    [
        ({"device": 7}, "device must be text, but is int"),
        ({7: "mobile"}, "a name must be text, but is int"),
        ({"device": "x" * 129}, "device has 129 bytes; the limit is 128"),
        ({"é" * 65: "x"}, "a name has 130 bytes; the limit is 128"),
        ({"device": "\ud800"}, "cannot be written as UTF-8"),
        ({f"d{number}": "x" for number in range(17)}, "has 17; the limit is 16"),
    ],
)
def test_levels_that_cannot_be_sent_cost_no_outcome(sidecar: Any, client: Client, dimensions: Any, told: str) -> None:
    with client.assign("search-agent", unit="s1", dimensions=dimensions) as trial:
        trial.record(tokens=1)
    (outcome,) = sidecar.recorded
    assert dict(outcome.dimensions) == {}
    assert sidecar.metrics[0]["tokens"] == 1
    assert client.stats.refused == 1
    with Client(sidecar.target, timeout_s=5, on_error="raise") as strict, pytest.raises(InvalidArgument) as caught:
        strict.assign("search-agent", unit="s1", dimensions=dimensions)
    assert told in str(caught.value)
