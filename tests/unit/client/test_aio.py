"""The asyncio client keeps the same promises."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sortition import errors
from sortition.client import AsyncClient, Client, Reason
from sortition.rpc.v1 import recording_pb2
from waiting import eventually


def sent(outcome: recording_pb2.Outcome) -> list[tuple[str, float, bool]]:
    return [(each.metric, each.number, each.if_declared) for each in outcome.observations]


def test_a_trial(sidecar: Any) -> None:
    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=5) as client:
            async with client.assign("search-agent", unit="s1", duration="") as trial:
                trial.record(tokens=812)
                trial.observe("latency", 2.5)
                assert trial.config == {"strategy": "combined"}
                assert trial.reason is Reason.SPLIT
            trial = await client.assign("search-agent", unit="s2", expose=False, duration="")
            assert await trial.expose()
            await trial.finish(failed=True)
            await client.record("search-strategy", {"rating": 4}, unit="s1", variant="combined")
            assert client.stats.recorded == 3

    asyncio.run(main())
    assert [sent(outcome) for outcome in sidecar.recorded] == [
        [("tokens", 812.0, False), ("latency", 2.5, False), ("success", 1.0, True)],
        [("success", 0.0, True)],
        [("rating", 4.0, False)],
    ]
    assert sidecar.sent_configs == [True, False]


def test_both_clients_say_the_same(sidecar: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortition.client.measure.time.perf_counter", lambda: 1.0)
    with Client(sidecar.target, timeout_s=5) as client, client.assign("prompt/a", unit=7) as trial:
        trial.record(tokens=[1, 2])

    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=5) as client, client.assign("prompt/a", unit=7) as trial:
            trial.record(tokens=[1, 2])

    asyncio.run(main())
    assert sidecar.assigned[0] == sidecar.assigned[1]
    assert sidecar.recorded[0] == sidecar.recorded[1]


def test_an_exception_is_a_failure_and_goes_on(sidecar: Any) -> None:
    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=5) as client, client.assign("search-agent", unit="s1"):
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        asyncio.run(main())
    assert sidecar.metrics[0]["success"] == 0.0


def test_a_cancelled_trial_is_a_failure(sidecar: Any) -> None:
    async def session(client: AsyncClient, entered: asyncio.Event) -> None:
        async with client.assign("search-agent", unit="s1"):
            entered.set()
            await asyncio.Event().wait()

    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=5) as client:
            entered = asyncio.Event()
            task = asyncio.create_task(session(client, entered))
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert sidecar.metrics[0]["success"] == 0.0


def test_an_interrupted_delivery_is_made_again(sidecar: Any) -> None:
    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=10) as client:
            trial = await client.assign("search-agent", unit="s1")
            # Counted, and nobody hears of it: the caller has lost patience.
            sidecar.misbehave("Record", sidecar.hang, after=True)
            delivery = asyncio.create_task(trial.finish())
            await eventually(lambda: asyncio.sleep(0, bool(sidecar.arrived)))
            delivery.cancel()
            with pytest.raises(asyncio.CancelledError):
                await delivery
            assert client.stats.waiting == 1
            assert await client.flush(10) == 0
            assert (client.stats.recorded, client.stats.duplicates) == (1, 1)

    asyncio.run(main())
    assert len(sidecar.recorded) == 1


def test_nobody_listens(nowhere: str) -> None:
    async def main() -> None:
        async with AsyncClient(nowhere, timeout_s=0.05, defaults={"search-agent": {"a": 1}}) as client:
            async with client.assign("search-agent", unit="s1") as trial:
                assert (trial.reason, trial.config) == (Reason.DEFAULT, {"a": 1})
            trial = await client.assign("search-agent", unit=None)
            assert isinstance(trial.error, errors.InvalidArgument)
        async with AsyncClient(nowhere, timeout_s=0.05, on_error="raise") as client:
            with pytest.raises(errors.SidecarUnavailable):
                await client.assign("search-agent", unit="s1")

    asyncio.run(main())


def test_the_wait_is_bounded_and_the_outcome_kept(sidecar: Any) -> None:
    async def main() -> None:
        client = AsyncClient(sidecar.target, timeout_s=0.2)
        async with client.assign("search-agent", unit="s1"):
            # Counted, but the answer never comes.
            sidecar.misbehave("Record", sidecar.hang, after=True)
        assert client.stats.waiting == 1
        await client.close(10)
        assert (client.stats.waiting, client.stats.recorded, client.stats.duplicates) == (0, 1, 1)

    asyncio.run(main())
    assert len(sidecar.recorded) == 1


def test_more_sessions_at_once_than_the_window_holds(sidecar: Any) -> None:
    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=20) as client:
            trials = await asyncio.gather(*[client.assign("search-agent", unit=f"s{each}") for each in range(600)])
            await asyncio.gather(*[trial.finish() for trial in trials])
            assert await client.flush(20) == 0
            assert client.stats.dropped == 0

    asyncio.run(main())
    assert sorted(outcome.unit for outcome in sidecar.recorded) == sorted(f"s{each}" for each in range(600))
    assert all(each.delivery.seq - each.delivery.oldest_pending < 256 for each in sidecar.arrived)


def test_one_event_loop_after_another(sidecar: Any) -> None:
    client = AsyncClient(sidecar.target, timeout_s=5)

    async def main() -> Reason:
        async with client.assign("search-agent", unit="s1") as trial:
            return trial.reason

    assert [asyncio.run(main()), asyncio.run(main())] == [Reason.SPLIT, Reason.SPLIT]
    asyncio.run(client.close())
    assert len(sidecar.recorded) == 2


def test_the_sidecar_may_come_back(sidecar: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortition.client.protocol.CIRCUIT_PAUSE_S", 0.02)

    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=0.1) as client:
            trial = await client.assign("search-agent", unit="s1")
            await asyncio.to_thread(sidecar.stop)
            await trial.finish()
            assert client.stats.waiting == 1
            await asyncio.to_thread(sidecar.start)

            async def flushed() -> bool:
                return await client.flush() == 0

            await eventually(flushed)

    asyncio.run(main())
    assert [outcome.unit for outcome in sidecar.recorded] == ["s1"]


def test_the_decorator(sidecar: Any) -> None:
    client = AsyncClient(sidecar.target, timeout_s=5)

    @client.experiment("search-agent", unit="session")
    async def answer(question: str, session: str, *, trial: Any) -> str:
        trial.record(tokens=len(question))
        return f"{question} {trial.config['strategy']}"

    async def main() -> str:
        async with client:
            return await answer("why", session="s1")

    assert asyncio.run(main()) == "why combined"
    assert sidecar.metrics[0]["tokens"] == 3.0
    ordinary: Any = lambda session, *, trial: None  # noqa: E731
    with pytest.raises(TypeError, match="use Client"):
        client.experiment("search-agent", unit="session")(ordinary)


def test_outcomes_say_what_they_are_broken_down_by(sidecar: Any) -> None:
    async def main() -> None:
        async with AsyncClient(sidecar.target, timeout_s=5) as client:
            async with client.assign("search-agent", unit="s1", dimensions={"device": "mobile"}) as trial:
                trial.record(dimensions={"intent": "buy"}, tokens=1)
            await client.record("search-strategy", {"rating": 4}, unit="s1", dimensions={"device": "tablet"})

    asyncio.run(main())
    found = [dict(outcome.dimensions) for outcome in sidecar.recorded]
    assert found == [{"device": "mobile", "intent": "buy"}, {"device": "tablet"}]
