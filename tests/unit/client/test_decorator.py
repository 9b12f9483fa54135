"""Functions whose calls are trials."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from sortition.client import Client, Trial


@pytest.fixture
def client(sidecar: Any) -> Iterator[Client]:
    with Client(sidecar.target, timeout_s=5) as made:
        yield made


def test_every_call_is_a_trial(sidecar: Any, client: Client) -> None:
    @client.experiment("search-agent", unit="session", duration="")
    def answer(question: str, session: str = "nobody", *, loud: bool = False, trial: Trial) -> str:
        """Answers."""
        trial.record(tokens=len(question))
        return f"{question} {trial.config['strategy']}{'!' * loud}"

    assert answer("why", "s1") == "why combined"
    assert answer("how", session="s2", loud=True) == "how combined!"
    assert answer("who") == "who combined"
    assert [outcome.unit for outcome in sidecar.recorded] == ["s1", "s2", "nobody"]
    assert sidecar.metrics[0] == {"tokens": 3.0, "success": 1.0}
    assert (answer.__name__, answer.__doc__) == ("answer", "Answers.")
    assert list(inspect.signature(answer).parameters) == ["question", "session", "loud"]


def test_an_exception_is_a_failure(sidecar: Any, client: Client) -> None:
    @client.experiment(experiment="search-strategy", unit="session")
    def answer(session: str, *, trial: Trial) -> None:
        raise KeyError(session)

    with pytest.raises(KeyError):
        answer("s1")
    assert sidecar.metrics[0]["success"] == 0.0
    assert sidecar.assigned[0].experiment == "search-strategy"


def test_wrong_arguments_are_the_callers_error(sidecar: Any, client: Client) -> None:
    @client.experiment("search-agent", unit="session")
    def answer(session: str, *, trial: Trial) -> None: ...

    with pytest.raises(TypeError, match="session"):
        answer()
    assert sidecar.assigned == []


async def coroutine(session: str, *, trial: Trial) -> None: ...


def generator(session: str, *, trial: Trial) -> Iterator[int]:
    yield 1


def without_trial(session: str) -> None: ...


def positional_trial(session: str, trial: Trial) -> None: ...


def without_unit(*, trial: Trial) -> None: ...


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (coroutine, "use AsyncClient"),
        (generator, "is a generator"),
        (without_trial, r"\*, trial"),
        (positional_trial, r"\*, trial"),
        (without_unit, "no parameter 'session'"),
    ],
)
def test_what_cannot_be_decorated_is_refused_at_once(client: Client, function: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        client.experiment("search-agent", unit="session")(function)


def test_the_subject_is_checked_at_once(client: Client) -> None:
    with pytest.raises(TypeError, match="exactly one"):
        client.experiment(unit="session")
