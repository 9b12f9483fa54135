"""Sends messages to a URL, signed as Standard Webhooks say, so that the receiver knows who sent them and when.

Three headers: ``webhook-id``, the same for every attempt; ``webhook-timestamp``, the seconds since 1970 of this
attempt; ``webhook-signature``, ``v1,`` and in base64 the HMAC-SHA256 of ``id.timestamp.body`` with the shared secret.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from sortition.errors import Unavailable
from sortition.model import JsonObject

__all__ = ["TIMEOUT_S", "Sender", "Webhook", "signature"]

TIMEOUT_S: Final = 10.0
"""How long one attempt may take, from the connection to the last header."""
_ACCEPTED: Final = range(200, 300)


class Sender(Protocol):
    """Hands a message over."""

    def send(self, id: str, payload: JsonObject, at: int) -> None:
        """Sends a message; when it returns the message was taken.

        Args:
            id: The message's id.
            payload: The message.
            at: The seconds since 1970.

        Raises:
            SortitionError: It was not taken, as far as is known.
        """


def signature(secret: bytes, id: str, at: int, body: bytes) -> str:
    """Returns the signature of one attempt.

    The example of the specification:

    >>> key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = hmac.new(secret, b".".join((id.encode(), str(at).encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


@dataclass(frozen=True)
class Webhook:
    """A receiver. Redirects are not followed: what is signed is for this one.

    Attributes:
        url: Where it listens; http or https.
        secret: What is signed with.
        timeout_s: How long one attempt may take.
    """

    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    timeout_s: float = TIMEOUT_S

    def send(self, id: str, payload: JsonObject, at: int) -> None:
        """Sends a message; when it returns the receiver has answered with 2xx.

        Raises:
            Unavailable: It did not, or not in time.
        """
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "sortition",
            "webhook-id": id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self.secret, id, at, body),
        }
        status = self._post(body, headers)
        if status not in _ACCEPTED:
            raise Unavailable(f"the webhook answered with status {status}, and only 2xx says that it was taken")

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        parts = urlsplit(self.url)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(parts.netloc, timeout=self.timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=self.timeout_s)
        # The time limit of a socket is for each read: a receiver that sends a byte now and then would never be over.
        late = threading.Timer(self.timeout_s, _cut, (connection,))
        late.daemon = True
        late.start()
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # The URL may hold what should not be shown, and so may a message that quotes it.
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise Unavailable(f"the webhook was not reached within {self.timeout_s:g} s ({why})") from None
        finally:
            late.cancel()
            connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    sock: socket.socket | None = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
