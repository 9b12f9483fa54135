"""Times and JSON come back as they went in."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from sortition.errors import DataLoss
from sortition.model import JsonObject
from sortition.store.types import JsonText, UtcDateTime, json_object

BERLIN = timezone(timedelta(hours=2))
SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_a_time_keeps_its_instant_and_its_microseconds(dialect: Dialect) -> None:
    at = datetime(2026, 3, 1, 1, 30, 15, 123457, tzinfo=BERLIN)
    stored = UtcDateTime().process_bind_param(at, dialect)
    assert stored is not None
    assert stored.replace(tzinfo=None) == datetime(2026, 2, 28, 23, 30, 15, 123457)
    back = UtcDateTime().process_result_value(stored, dialect)
    assert back == at
    assert back.tzinfo is timezone.utc


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 3, 1), SQLITE)


def test_json_keeps_every_bit_of_a_float() -> None:
    value: JsonObject = {"x": [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 2.0], "é\u0000": None}
    text = JsonText().process_bind_param(value, SQLITE)
    assert "\u0000" not in text, "PostgreSQL has no text with a zero character"
    back = JsonText().process_result_value(text, SQLITE)
    assert back == value
    assert math.copysign(1, back["x"][3]) == -1
    assert isinstance(back["x"][4], float)


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        JsonText().process_bind_param({"x": [math.nan]}, SQLITE)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_a_damaged_object_is_data_loss(text: str) -> None:
    with pytest.raises(DataLoss, match="damaged"):
        json_object(text)
