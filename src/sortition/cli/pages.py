"""The pages of a list: one after the other, or collected into one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sortition.cli.group import say
from sortition.cli.session import Session

__all__ = ["collect", "pages"]


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
    answer = None
    for page in pages(session, method, request, items, limit=limit, token=token, largest_page=largest_page):
        if answer is None:
            answer = page
        else:
            getattr(answer, items).extend(getattr(page, items))
            answer.next_page_token = page.next_page_token
    return answer


def pages(
    session: Session,
    method: Callable[..., Any],
    request: Any,
    items: str,
    *,
    limit: int,
    token: str = "",
    largest_page: int = 1000,
    again: str = "",
) -> Iterator[Any]:
    """Yields the pages of a list, at least one, with at most `limit` items; where there are more it says how to go on.

    Args:
        session: The connection.
        method: The method that lists.
        request: The request, without size and token of the page.
        items: The field of the answer that holds the items.
        limit: How many items at most.
        token: Where to begin.
        largest_page: How many items a page may have.
        again: Options that going on needs besides the token.
    """
    request.page_token = token
    left = limit
    while True:
        request.page_size = min(left, largest_page)
        page = session.call(method, request)
        # Whoever takes the page may change it.
        token, found = page.next_page_token, len(getattr(page, items))
        yield page
        left -= found
        if not token or left <= 0 or not found:
            break
        request.page_token = token
    if token:
        say(f"there are more: --limit, or {again}{' ' if again else ''}--page-token {token}")
