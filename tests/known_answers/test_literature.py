"""sortition beside what textbooks, papers and manuals print."""

from __future__ import annotations

import pytest

from known_answers.cases import Case
from known_answers.literature import CASES
from known_answers.tally import Tally


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_as_it_is_printed(case: Case, tally: Tally) -> None:
    tally.check(case)
    assert case.found == case.found, "NaN agrees with nothing"
