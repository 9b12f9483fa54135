"""One question to a model and its answer, over HTTP: bounded in time and size, with errors that say what to do."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from sortition.cli.generate.model.endpoint import Endpoint
from sortition.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    SortitionError,
    Unavailable,
)

__all__ = ["Message", "ask"]

Message = dict[str, str]
"""Who says what: ``{"role": "user", "content": "…"}``."""

_MAX_ANSWER: Final = 4 * 1024 * 1024
_ATTEMPTS: Final = 3
_WAIT_S: Final = 1.0
_BUSY: Final = (408, 409, 425, 429, 500, 502, 503, 504, 529)
# What not every endpoint knows, and the answer does without.
_OPTIONAL: Final = ("seed", "response_format", "temperature")
_LOCAL: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class _Refused(Exception):
    """The endpoint answers with an error."""

    status: int
    text: str
    retry_after_s: float | None


class _NoRedirect(HTTPRedirectHandler):
    """A key is for the endpoint it was given for, and for nobody that this one names."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ask(endpoint: Endpoint, messages: list[Message], seed: int) -> tuple[str, frozenset[str]]:
    """Asks once, and again while the endpoint is busy.

    Args:
        endpoint: Where.
        messages: What was said so far.
        seed: Makes the same answer come again, where the endpoint can do that.

    Returns:
        The answer; and what the endpoint refused and was left out, such as ``seed``.

    Raises:
        SortitionError: There is no answer in time, or none that can be used.
    """
    asked: dict[str, Any] = {
        "model": endpoint.model, "messages": messages, "n": 1, "stream": False,
        "seed": seed, "temperature": 0, "response_format": {"type": "json_object"},
    }  # fmt: skip
    until = time.monotonic() + endpoint.timeout_s
    attempts = 0
    while True:
        try:
            answer = _answer(endpoint, _post(endpoint, asked, until))
            return answer, frozenset(_OPTIONAL) - frozenset(asked)
        except _Refused as refused:
            unknown = [name for name in _OPTIONAL if name in asked and name in refused.text]
            if refused.status in (400, 422) and unknown:
                for name in unknown:
                    del asked[name]
                continue
            attempts += 1
            wait = refused.retry_after_s if refused.retry_after_s is not None else _WAIT_S * 2 ** (attempts - 1)
            if refused.status in _BUSY and attempts < _ATTEMPTS and time.monotonic() + wait < until:
                threading.Event().wait(wait)
                continue
            raise _error(endpoint, refused) from None


def _post(endpoint: Endpoint, asked: dict[str, Any], until: float) -> bytes:
    """Sends one request. What takes longer than until `until` is left to itself, whatever it waits for.

    Raises:
        _Refused: The endpoint answers with an error.
        Unavailable: It does not answer, or not in time.
    """
    got: list[bytes | Exception] = []

    def send() -> None:
        try:
            got.append(_send(endpoint, asked, max(until - time.monotonic(), 0.001)))
        except Exception as error:
            got.append(error)

    # The time limit of a socket is for each of its steps; one that drips would keep every one of them.
    thread = threading.Thread(target=send, name="model", daemon=True)
    thread.start()
    thread.join(max(until - time.monotonic(), 0.0))
    found = got[0] if got else TimeoutError()
    if isinstance(found, bytes):
        return found
    if isinstance(found, (_Refused, SortitionError)):
        raise found
    if isinstance(found, TimeoutError) or isinstance(getattr(found, "reason", None), TimeoutError):
        raise Unavailable(
            f"the endpoint {endpoint.url} gave no answer within {endpoint.timeout_s:g} s; see --model-timeout"
        ) from None
    if isinstance(found, (URLError, HTTPException, OSError)):
        why = endpoint.without_key(str(getattr(found, "reason", found)) or type(found).__name__)
        raise Unavailable(f"the endpoint {endpoint.url} cannot be reached ({why}); is it running?") from None
    raise found


def _send(endpoint: Endpoint, asked: dict[str, Any], timeout_s: float) -> bytes:
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "sortition"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    url = f"{endpoint.url}/chat/completions"
    request = Request(url, json.dumps(asked).encode(), headers, method="POST")
    # A proxy of the environment knows nothing about a model on this machine.
    here = (urlsplit(url).hostname or "") in _LOCAL
    opener = build_opener(_NoRedirect, *([ProxyHandler({})] if here else []))
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return _body(response)
    except HTTPError as error:
        with error:
            text = error.read(_MAX_ANSWER).decode(errors="replace")
        raise _Refused(error.code, text, _seconds(error.headers.get("Retry-After"))) from None


def _body(response: HTTPResponse) -> bytes:
    body = response.read(_MAX_ANSWER + 1)
    if len(body) > _MAX_ANSWER:
        raise ResourceExhausted(f"the model's answer has more than {_MAX_ANSWER} bytes; ask for less")
    return body


def _answer(endpoint: Endpoint, body: bytes) -> str:
    """Returns what the model says.

    Raises:
        InvalidArgument: The body is no chat completion, or the model refused or was cut off.
    """
    try:
        choice = json.loads(body)["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        reason = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        shown = endpoint.without_key(body[:200].decode(errors="replace"))
        raise InvalidArgument(
            f"the answer of {endpoint.url} is no chat completion: {shown!r}; is that the base URL, such as https://…/v1?"
        ) from None
    if refusal or reason == "content_filter":
        raise InvalidArgument(f"the model {endpoint.model} declined: {str(refusal or reason)[:300]!r}; change the rule")
    if reason == "length":
        raise InvalidArgument(f"the answer of {endpoint.model} was cut off; take a shorter base, or another model")
    if not isinstance(content, str) or not content.strip():
        raise InvalidArgument(f"the answer of {endpoint.model} is empty; try again, or take another model")
    return content


def _error(endpoint: Endpoint, refused: _Refused) -> SortitionError:
    said = endpoint.without_key(_said(refused.text))
    text = f"the endpoint {endpoint.url} answers {refused.status}{f' ({said})' if said else ''}"
    if refused.status in (401, 403):
        return PermissionDenied(f"{text}; set SORTITION_MODEL_KEY to a key that may use {endpoint.model}")
    if refused.status == 404:
        return NotFound(f"{text}; is {endpoint.model!r} one of its models, and the URL its base, such as https://…/v1?")
    if refused.status == 429:
        return ResourceExhausted(f"{text}; wait, or ask for fewer variants")
    if refused.status in _BUSY or refused.status >= 500:
        return Unavailable(f"{text}; try again later")
    return InvalidArgument(f"{text}; check the URL and the model")


def _said(text: str) -> str:
    """Returns the message of an error, in one short line."""
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return " ".join(str(text).split())[:300]


def _seconds(header: str | None) -> float | None:
    try:
        return max(float(header), 0.0) if header else None
    except ValueError:
        return None
