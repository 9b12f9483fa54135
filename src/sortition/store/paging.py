"""Lists in pages, with opaque tokens that say where the next page begins."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import Column, Connection, Row, Select, tuple_

from sortition.errors import InvalidArgument

__all__ = ["fetch_page"]

# Far above any token that is handed out; a longer one is not worth decoding.
_MAX_TOKEN = 2048
_MAX_INTEGER = 2**63 - 1


def fetch_page(
    tx: Connection,
    query: Select[Any],
    order: Sequence[Column[Any]],
    *,
    limit: int,
    after: str | None,
    newest_first: bool,
) -> tuple[list[Row[Any]], str]:
    """Returns one page of `query` and the token of the next one.

    A page begins behind the sort key of the row before it, never at a count of rows, so that rows that come and go
    meanwhile make none appear twice or not at all.

    Args:
        tx: The transaction to read in.
        query: What to list; selects the columns of `order`.
        order: The columns to sort by, unique together.
        limit: At most so many rows, at least 1.
        after: The token of this page; None or empty for the first.
        newest_first: Whether to sort descending.

    Raises:
        InvalidArgument: The token is not one that was handed out for such a list.
    """
    if after:
        end = tuple_(*_read_token(after, order), types=[column.type for column in order])
        query = query.where(tuple_(*order) < end if newest_first else tuple_(*order) > end)
    query = query.order_by(*(column.desc() if newest_first else column.asc() for column in order))
    rows = list(tx.execute(query.limit(limit + 1)))
    if len(rows) <= limit:
        return rows, ""
    return rows[:limit], _write_token([rows[limit - 1]._mapping[column] for column in order])


def _write_token(key: Sequence[Any]) -> str:
    plain = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def _read_token(token: str, order: Sequence[Column[Any]]) -> list[Any]:
    if len(token) > _MAX_TOKEN:
        _refuse()
    try:
        plain = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        if not isinstance(plain, list) or len(plain) != len(order):
            _refuse()
        return [_part(part, column.type.python_type) for part, column in zip(plain, order, strict=True)]
    # RecursionError: thousands of brackets are valid base64 too.
    except (ValueError, RecursionError):
        _refuse()


def _part(part: object, kind: type[Any]) -> object:
    if kind is datetime and isinstance(part, str):
        at = datetime.fromisoformat(part)
        if at.tzinfo is not None:
            return at
    elif kind is int and isinstance(part, int) and not isinstance(part, bool):
        if abs(part) <= _MAX_INTEGER:
            return part
    elif kind is str and isinstance(part, str):
        part.encode()
        return part
    _refuse()


def _refuse() -> NoReturn:
    raise InvalidArgument.of(
        [("page_token", "is not a token of this list; send next_page_token of the page before, or nothing")]
    )
