"""Collects the pages of a list into one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sortition.cli.group import say
from sortition.cli.session import Session

__all__ = ["collect"]


def collect(
    session: Session,
    method: Callable[..., Any],
    request: Any,
    items: str,
    *,
    limit: int,
    token: str = "",
    largest_page: int = 1000,
) -> Any:
    """Returns one answer with at most `limit` items; where there are more it says how to go on.

    Args:
        session: The connection.
        method: The method that lists.
        request: The request, without size and token of the page.
        items: The field of the answer that holds the items.
        limit: How many items at most.
        token: Where to begin.
        largest_page: How many items a page may have.
    """
    request.page_token = token
    answer = None
    while True:
        held = len(getattr(answer, items)) if answer is not None else 0
        request.page_size = min(limit - held, largest_page)
        page = session.call(method, request)
        if answer is None:
            answer = page
        else:
            getattr(answer, items).extend(getattr(page, items))
            answer.next_page_token = page.next_page_token
        if not page.next_page_token or len(getattr(answer, items)) >= limit or not getattr(page, items):
            break
        request.page_token = page.next_page_token
    if answer.next_page_token:
        say(f"there are more: --limit, or --page-token {answer.next_page_token}")
    return answer
