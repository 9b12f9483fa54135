"""Stands between a sidecar and PostgreSQL, and cuts connections where it hurts: around a commit."""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["Cut", "Proxy"]

_COMMIT = b"COMMIT"
_CHUNK = 1 << 16


class Cut(enum.Enum):
    """Where a commit is cut off."""

    NOT_SENT = "the commit never arrives"
    REPLY_LOST = "the commit is done, and its reply is lost"
    SILENT = "the commit is done, and no reply ever comes"


class Proxy:
    """Passes everything on between clients and a server's unix socket, except what is planned for commits."""

    def __init__(self, directory: Path, server: Path) -> None:
        """Listens.

        Args:
            directory: Where its own socket is put, under the name that the drivers of PostgreSQL expect.
            server: The server's socket.
        """
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        directory.mkdir(exist_ok=True)
        self._listening.bind(str(directory / server.name))
        self._listening.listen()
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._left = 0
        self._then: Callable[[], object] = lambda: None
        self._open: set[socket.socket] = set()
        self.cuts = 0
        threading.Thread(target=self._accept, name="faults-proxy", daemon=True).start()

    def plan(self, cut: Cut, commit: int = 1, then: Callable[[], object] = lambda: None) -> None:
        """Cuts one commit, counted from now; calls `then` when it did."""
        with self._lock:
            self._cut, self._left, self._then = cut, commit, then

    def relent(self) -> None:
        """Lets every commit pass again."""
        with self._lock:
            self._cut = None

    def close(self) -> None:
        """Ends every connection and listens no more."""
        # A thread that waits for the next connection is not woken by a close.
        for listening in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), name="faults-proxy", daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        self._open |= {client, server}
        try:
            server.connect(str(self._server))
            with selectors.DefaultSelector() as ready:
                ready.register(client, selectors.EVENT_READ, server)
                ready.register(server, selectors.EVENT_READ, client)
                cut = None
                while True:
                    for key, _ in ready.select():
                        source = client if key.data is server else server
                        data = source.recv(_CHUNK)
                        if not data:
                            return
                        if source is client and _COMMIT in data:
                            cut = self._due()
                            if cut is Cut.NOT_SENT:
                                return self._done()
                        elif source is server and cut is not None:
                            # The server has answered, so it is done.
                            self._done()
                            if cut is Cut.REPLY_LOST:
                                return None
                            ready.unregister(server)
                            cut = None
                            continue
                        key.data.sendall(data)
        except OSError:
            return
        finally:
            self._open -= {client, server}
            client.close()
            server.close()

    def _due(self) -> Cut | None:
        with self._lock:
            if self._cut is None:
                return None
            self._left -= 1
            if self._left:
                return None
            cut, self._cut = self._cut, None
            return cut

    def _done(self) -> None:
        self.cuts += 1
        self._then()
