"""Receivers of webhooks: real servers on loopback, which fail, hang or redirect as a test says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["KEY", "Attempt", "Receiver", "receiving", "secret_file"]

KEY = bytes(range(32))


@dataclass(frozen=True)
class Attempt:
    """One request: its headers, its very bytes, and what it was answered."""

    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def signed(self) -> bool:
        """Whether it is signed as the specification says; worked out here once more."""
        text = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = base64.b64encode(hmac.new(KEY, text, hashlib.sha256).digest()).decode()
        return self.headers["webhook-signature"] == f"v1,{expected}"


@dataclass
class Receiver:
    """What came in.

    Attributes:
        answer: Returns the status for the n-th request, counted from 0; it may wait.
    """

    answer: Callable[[int], int] = lambda _: 204
    url: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    begun: int = 0
    location: str = ""

    @property
    def taken(self) -> list[Attempt]:
        """What was answered with 2xx, in order."""
        return [one for one in self.attempts if 200 <= one.status < 300]

    @property
    def often(self) -> Counter[str]:
        """How often each message was taken."""
        return Counter(one.id for one in self.taken)

    def told(self) -> list[tuple[str, str]]:
        """Returns what was taken, as (type, rule)."""
        return [(one.message["type"], one.message["data"]["rule"]) for one in self.taken]


@contextmanager
def receiving(answer: Callable[[int], int] = lambda _: 204) -> Iterator[Receiver]:
    """Runs a receiver."""
    receiver = Receiver(answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            number, receiver.begun = receiver.begun, receiver.begun + 1
            status = receiver.answer(number)
            receiver.attempts.append(Attempt({key.lower(): value for key, value in self.headers.items()}, body, status))
            try:
                self.send_response(status)
                if receiver.location:
                    self.send_header("location", receiver.location)
                self.end_headers()
            except OSError:
                pass  # the sender has gone

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/alerts?team=search"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def secret_file(directory: Path) -> Path:
    """Writes the secret."""
    path = directory / "webhook-secret"
    path.write_text(f"whsec_{base64.b64encode(KEY).decode()}\n")
    return path
