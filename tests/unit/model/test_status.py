"""The steps of an experiment's life, as they are promised."""

from __future__ import annotations

import pytest

from sortition.model import TRANSITIONS, ExperimentStatus

PROMISED = {
    ("draft", "running"),
    ("draft", "cancelled"),
    ("running", "paused"),
    ("running", "completed"),
    ("running", "cancelled"),
    ("paused", "running"),
    ("paused", "completed"),
    ("paused", "cancelled"),
}


@pytest.mark.parametrize("before", ExperimentStatus)
@pytest.mark.parametrize("after", ExperimentStatus)
def test_a_step_is_allowed_exactly_when_it_is_promised(before: ExperimentStatus, after: ExperimentStatus) -> None:
    assert (after in TRANSITIONS[before]) == ((before.value, after.value) in PROMISED)
