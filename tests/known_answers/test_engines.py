"""sortition beside independent engines, on what they answered to the same questions."""

from __future__ import annotations

import math

import pytest

from known_answers.cases import Case, ours
from known_answers.recorded import sheets
from known_answers.tally import Tally
from known_answers.tolerances import EXCEPTIONS, tolerance

# Where engines define something else, or draw lots: the standard error is the unit of what is allowed.
_IN_STANDARD_ERRORS = {"cuped", "bootstrap"}

ANSWERS = [(sheet.engine, name, expected) for sheet in sheets() for name, expected in sheet.answers.items()]


def case(engine: str, name: str, expected: float) -> Case:
    method, question, figure = name.split("/")
    figures = ours(method, question)
    allowed = tolerance(engine, name)
    unit = figures["standard_error"] if method in _IN_STANDARD_ERRORS and figure != "p_value" else 1.0
    apart = max(allowed.relative * abs(expected), allowed.absolute * unit)
    return Case(engine, name, expected, figures[figure], apart)


@pytest.mark.parametrize(("engine", "name", "expected"), ANSWERS, ids=[f"{e}:{n}" for e, n, _ in ANSWERS])
def test_as_the_engine_says(engine: str, name: str, expected: float, tally: Tally) -> None:
    assert math.isfinite(expected)
    tally.check(case(engine, name, expected))


def test_every_exception_is_needed() -> None:
    """A tolerance that nothing needs any more would hide the next mistake."""
    for whose, pattern, allowed in EXCEPTIONS:
        used = [name for engine, name, _ in ANSWERS if tolerance(engine, name) is allowed]
        assert used, f"no answer uses the tolerance of {whose} for {pattern}"
