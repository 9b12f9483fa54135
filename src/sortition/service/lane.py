"""The native lane of a sidecar: where it listens, and what it is told and asked while it runs.

It answers the hot path on a thread that never waits for the interpreter, so it cannot ask for anything itself. Twice a
second it is given the tokens and certificates in force, and asked whom it turned away.
"""

from __future__ import annotations

import threading
import traceback
from typing import Final

from sortition import locations
from sortition.api.address import Listen, parse_listen, prepare_socket
from sortition.api.denials import Denial
from sortition.api.limits import MAX_CALLS, MAX_CALLS_PER_CONNECTION, MAX_CONNECTIONS, MAX_METADATA_BYTES
from sortition.api.tokens import Token
from sortition.core import Engine, Lane
from sortition.errors import InvalidArgument, SettingsError, SortitionError, Unavailable
from sortition.events import EventLog
from sortition.service.entrance import Entrance
from sortition.settings import Settings

__all__ = ["NativeLane"]

_log = EventLog("sortition.service")

_POLL_S: Final = 0.5
_ANY_PORT: Final = "127.0.0.1:0"


class NativeLane:
    """A lane that listens, from its making to its stop.

    Attributes:
        address: Where: ``unix:/path`` or ``host:port``.
    """

    def __init__(self, listen: Listen, settings: Settings, engine: Engine, entrance: Entrance) -> None:
        """Begins to listen.

        Args:
            listen: Where.
            settings: How many streams it may have.
            engine: What answers.
            entrance: Who may come in.

        Raises:
            SettingsError: The place or the certificates cannot be used.
            Unavailable: The place is in use.
        """
        if listen.path is not None:
            prepare_socket(listen.path)
        # A socket is kept from others by its file's mode, as with the server.
        self._certificates = entrance.certificates if listen.path is None else None
        self._keyring = entrance.keyring
        self._denials = entrance.denials
        # Before reading: what changes in between is read once more.
        self._signature = self._certificates.signature() if self._certificates else None
        self._tokens = self._keyring.tokens if self._keyring else ()
        try:
            self._lane = Lane(
                engine,
                str(listen),
                connections=MAX_CONNECTIONS,
                calls_per_connection=MAX_CALLS_PER_CONNECTION,
                calls=MAX_CALLS,
                streams=settings.max_streams,
                metadata_bytes=MAX_METADATA_BYTES,
                tokens=_compiled(self._tokens) if self._keyring else None,
                tls=self._certificates.pem() if self._certificates else None,
            )
        except InvalidArgument as error:
            raise SettingsError(f"lane: {error.message}", error.violations) from error
        self.address = self._lane.address
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sortition-lane-doors", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, settings: Settings, engine: Engine, entrance: Entrance) -> NativeLane | None:
        """Begins to listen where the settings say; None where they want no lane.

        Raises:
            SettingsError: The place that was named cannot be used.
            Unavailable: It is in use.
        """
        if settings.lane == "off":
            return None
        if settings.lane != "auto":
            return cls(parse_listen(settings.lane), settings, engine, entrance)
        try:
            return cls(_own_place(settings), settings, engine, entrance)
        except (SettingsError, Unavailable) as error:
            # Nobody asked for it; the server answers the same.
            _log.warning("no native lane", error=error.message)
            return None

    def counters(self) -> dict[str, int]:
        """Returns what it counted, by name."""
        return self._lane.counters()

    def refresh(self) -> None:
        """Hands over the tokens and certificates in force, and takes what it has to tell."""
        if self._keyring is not None:
            tokens = self._keyring.tokens
            if tokens != self._tokens:
                self._tokens = tokens
                self._lane.replace_tokens(_compiled(tokens))
            self._lane.sweep()
        if self._certificates is not None and self._certificates.signature() != self._signature:
            # Even if they cannot be used: they are not read again before they change again.
            self._signature = self._certificates.signature()
            try:
                self._lane.replace_certificates(*self._certificates.pem())
            except SortitionError as error:
                _log.error("certificate not loaded, the former one stays", lane=True, error=error.message)
        for caller, method, code, why, peer, count in self._lane.take_denials():
            self._denials.note(Denial(caller, method, code, why, peer), count)
        for defect in self._lane.take_defects():
            _log.error("call failed", lane=True, exception=defect)

    def stop(self, grace_s: float) -> None:
        """Accepts nothing more, gives what is under way `grace_s` seconds, and ends."""
        self._lane.stop(grace_s)
        self._stopping.set()
        self._thread.join()
        self.refresh()

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_S):
            try:
                self.refresh()
            except Exception as error:
                # Were this thread to end, revocations would have no effect and nobody would know.
                _log.error("lane not watched", exception="".join(traceback.format_exception(error)))


def _own_place(settings: Settings) -> Listen:
    """Returns the socket in the state directory; a port of loopback where the kernel has no room for its path."""
    try:
        return parse_listen(f"unix:{locations.lane_socket(settings.state_dir)}")
    except SettingsError:
        return parse_listen(_ANY_PORT)


def _compiled(tokens: tuple[Token, ...]) -> list[tuple[str, str, bytes, int | None]]:
    return [
        (
            token.id,
            token.name,
            token.digest,
            None if token.expires_at is None else int(token.expires_at.timestamp() * 1000),
        )
        for token in tokens
    ]
