"""Whether the methods give the answers that were published, with the libraries that are installed here."""

from __future__ import annotations

from collections.abc import Iterator

from sortition.check.finding import Failed, Probe
from sortition.check.published import ANSWERS, Answer

__all__ = ["probes"]

_AREA = "statistics"


def probes() -> Iterator[Probe]:
    """Yields one check for each method."""
    by_method: dict[str, list[Answer]] = {}
    for answer in ANSWERS:
        by_method.setdefault(answer.method, []).append(answer)
    for method, answers in by_method.items():
        yield Probe(_AREA, method, lambda answers=answers: _compare(answers))  # type: ignore[misc]


def _compare(answers: list[Answer]) -> str:
    wrong = []
    for answer in answers:
        found = answer.compute()
        # A comparison with NaN is never true.
        if not abs(found - answer.published) <= answer.tolerance:
            wrong.append(f"{answer.what} is {found:.10g}, published as {answer.published:.10g} ({answer.source})")
    if wrong:
        raise Failed(f"{'; '.join(wrong)}; reinstall sortition, NumPy and SciPy")
    sources = "; ".join(dict.fromkeys(answer.source for answer in answers))
    return f"{len(answers)} published answer{'s' if len(answers) > 1 else ''}: {sources}"
