"""Outcomes on disk until the sidecar has them, under numbers by which it counts each once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sortition.errors import DataLoss, ResourceExhausted, Unavailable

if TYPE_CHECKING:
    from sortition.rpc.v1.recording_pb2 import Outcome, RecordBatchRequest

__all__ = ["MAX_KEPT", "MAX_KEPT_BYTES", "Entry", "Kept"]

MAX_KEPT: Final = 1000
"""How many outcomes may wait."""
MAX_KEPT_BYTES: Final = 16 << 20
"""How many bytes they may take together."""

_SUFFIX: Final = ".outcome"
_CLIENT_BYTES: Final = 16
# The sidecar tells the last 256 numbers of a client apart; behind them begins another client.
_NUMBERS: Final = 250
_DIGEST_BYTES: Final = 32
# Whoever holds the lock syncs two files; who is stopped while holding it must not stop everybody for good.
_LOCK_S: Final = 10.0
_LOCK_PAUSE_S: Final = 0.002


@dataclass(frozen=True)
class Entry:
    """One outcome on disk.

    Attributes:
        path: Its file.
        client: Whom the sidecar knows as its sender.
        seq: Its number among the sender's outcomes.
    """

    path: Path
    client: bytes
    seq: int


class Kept:
    """A bounded directory of outcomes that are on their way to one sidecar.

    An outcome is written, and synced, before it is sent, and taken away once it is settled. So whatever is killed, it
    is there; and since it keeps its number, it is counted once however often it is sent. Numbers are given under a
    lock, by all commands together: one client with a few numbers is what a sidecar remembers the longest.

    Args:
        directory: The directory; made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, outcomes: list[Outcome]) -> Entry:
        """Writes one command's outcome.

        Raises:
            ResourceExhausted: There is no room.
            OSError: The directory cannot be used.
        """
        from sortition.rpc.v1.recording_pb2 import Delivery, RecordBatchRequest

        with self._locked("lock"):
            entries = self.entries()
            size = sum(entry.path.stat().st_size for entry in entries)
            if len(entries) >= MAX_KEPT or size >= MAX_KEPT_BYTES:
                raise ResourceExhausted(
                    f"{len(entries)} outcomes with {size} bytes wait in {self._directory}, and there is room for "
                    f"{MAX_KEPT} with {MAX_KEPT_BYTES}"
                )
            client, seq = self._number(entries)
            request = RecordBatchRequest(outcomes=outcomes, delivery=Delivery(client=client, seq=seq))
            path = self._directory / f"{client.hex()}-{seq}{_SUFFIX}"
            content = request.SerializeToString()
            self._write(path, hashlib.sha256(content).digest() + content)
            # Both names, the sender's count and the outcome: nothing is sent under a number that could come back.
            directory = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
            return Entry(path, client, seq)

    def entries(self) -> list[Entry]:
        """Returns the outcomes that wait, the oldest of each sender first."""
        found = []
        for path in self._directory.glob(f"*{_SUFFIX}"):
            client, _, seq = path.name.removesuffix(_SUFFIX).partition("-")
            try:
                found.append(Entry(path, bytes.fromhex(client), int(seq)))
            except ValueError:
                # Somebody else's file.
                continue
        return sorted(found, key=lambda entry: (entry.client, entry.seq))

    def read(self, entry: Entry) -> RecordBatchRequest | None:
        """Returns what is to be sent; ``None`` where somebody else has settled it meanwhile.

        Raises:
            DataLoss: The file is damaged.
        """
        from sortition.rpc.v1.recording_pb2 import RecordBatchRequest

        try:
            raw = entry.path.read_bytes()
        except FileNotFoundError:
            return None
        digest, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            raise DataLoss(f"{entry.path} is damaged")
        request = RecordBatchRequest.FromString(content)
        # All that this sender had before is settled, but for what waits.
        pending = [other.seq for other in self.entries() if other.client == entry.client]
        request.delivery.oldest_pending = min([entry.seq, *pending])
        return request

    def settle(self, entry: Entry) -> None:
        """Takes an outcome away: it was counted, or never will be."""
        entry.path.unlink(missing_ok=True)

    @contextmanager
    def delivering(self) -> Iterator[bool]:
        """Yields whether this command is the one that sends what others left; one at a time does."""
        try:
            handle = self._open("delivering")
        except OSError:
            yield False
            return
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)

    def _number(self, entries: list[Entry]) -> tuple[bytes, int]:
        """Returns the next number and whose it is, never to be given again."""
        path = self._directory / "sender.json"
        client, last = os.urandom(_CLIENT_BYTES), 0
        try:
            raw: dict[str, Any] = json.loads(path.read_bytes())
            known, number = bytes.fromhex(raw["client"]), int(raw["last"])
        except (OSError, ValueError, KeyError, TypeError):
            # None yet, or unreadable: a new sender repeats no number.
            pass
        else:
            oldest = min((entry.seq for entry in entries if entry.client == known), default=number + 1)
            if len(known) == _CLIENT_BYTES and number + 1 - oldest < _NUMBERS:
                client, last = known, number
        self._write(path, json.dumps({"client": client.hex(), "last": last + 1}).encode())
        return client, last + 1

    def _write(self, path: Path, content: bytes) -> None:
        """Writes a file that is there whole or not at all. Only under the lock."""
        scratch = self._directory / "scratch"
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        handle = self._open(name)
        try:
            deadline = time.monotonic() + _LOCK_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise Unavailable(f"{self._directory / name} is held by another command") from None
                time.sleep(_LOCK_PAUSE_S)
            yield
        finally:
            os.close(handle)

    def _open(self, name: str) -> int:
        # Outcomes name their units, which are nobody else's business.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
