"""A server on loopback that speaks chat completions, and misbehaves as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

__all__ = ["Chat", "completion", "serving_chat"]

Behaviour: TypeAlias = "Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]"


class Chat:
    """Does for each call the next of its behaviours (the last one stays), and keeps what was asked.

    Attributes:
        url: Its base.
        asked: The bodies of the calls.
        headers: Their headers.
        paths: Their paths.
        gate: Opened when the test is over; what waits for it hangs until then.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.gate = threading.Event()
        self._behaviours: list[Behaviour] = []

    def does(self, *behaviours: Behaviour) -> None:
        """Says what is done next."""
        self._behaviours = list(behaviours)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Does it."""
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.asked.append(body)
        self.headers.append(dict(handler.headers))
        self.paths.append(handler.path)
        behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
        behaviour(handler, body)

    def says(self, *answers: object) -> None:
        """Answers with these contents, each as JSON unless it is a text."""
        self.does(*(completion(each) for each in answers))

    @staticmethod
    def fails(status: int, message: str = "no", **headers: str) -> Behaviour:
        """Answers with an error."""

        def behave(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
            _send(handler, status, json.dumps({"error": {"message": message}}).encode(), headers)

        return behave

    @staticmethod
    def sends(body: bytes, status: int = 200, **headers: str) -> Behaviour:
        """Answers with these very bytes."""
        return lambda handler, _: _send(handler, status, body, headers)

    def hangs(self, handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        """Does not answer before the test is over."""
        self.gate.wait(30)

    def drips(self, handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        """Answers a byte at a time, none of them late, and never ends."""
        handler.send_response(200)
        handler.end_headers()
        while not self.gate.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()


def completion(content: object, **choice: Any) -> Behaviour:
    """Answers with a chat completion."""
    text = content if isinstance(content, str) else json.dumps(content)
    message = {"role": "assistant", "content": text, **choice.pop("message", {})}
    answer = {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": message, **choice}]}
    return Chat.sends(json.dumps(answer).encode())


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving_chat() -> Iterator[Chat]:
    """Runs the server; ends what hangs at the end."""
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                chat.take(self)
            except (BrokenPipeError, ConnectionResetError):
                # Whoever asked has gone.
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield chat
    finally:
        chat.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
