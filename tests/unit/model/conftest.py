"""A specification that is accepted, and a way to see what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from sortition.errors import InvalidArgument
from sortition.model import ExperimentSpec, validate

Refused: TypeAlias = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def plain() -> dict[str, Any]:
    """The smallest experiment, as plain values."""
    return {
        "key": "search-strategy",
        "subject": {"kind": "agent", "id": "search-agent"},
        "metrics": [{"name": "found", "kind": "binary", "goal": "maximize", "role": "primary"}],
        "variants": [{"name": "one", "weight": 50, "control": True}, {"name": "two", "weight": 50}],
    }


@pytest.fixture
def refused(plain: dict[str, Any]) -> Refused:
    """Returns the fields and descriptions that `plain` is refused with when some of it is replaced."""

    def check(**replaced: Any) -> list[tuple[str, str]]:
        with pytest.raises(InvalidArgument) as caught:
            validate(ExperimentSpec, {**plain, **replaced})
        return [(violation.field, violation.description) for violation in caught.value.violations]

    return check
