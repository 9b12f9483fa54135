"""The one guard before every method: a call needs a token whose role may make it.

It is put around handlers when the server is built, and only where tokens are in use; elsewhere there is nothing on the
way. What it asks costs a call about a microsecond.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, ParamSpec, TypeVar
from urllib.parse import unquote

import grpc

from sortition.api.caller import CALLER
from sortition.api.denials import Denial, Denials
from sortition.api.errors import abort
from sortition.api.keyring import Keyring
from sortition.api.roles import Role, required_role
from sortition.api.tokens import Token
from sortition.errors import InternalError, PermissionDenied, SortitionError, Unauthenticated

__all__ = ["Guard"]

P = ParamSpec("P")
T = TypeVar("T")

_HEADER: Final = "authorization"
_THREADS: Final = "experimental_thread_pool"
_NON_BLOCKING: Final = "experimental_non_blocking"
_ADVICE: Final = "send one as the metadata 'authorization: Bearer <token>'; clients take it from SORTITION_TOKEN_FILE"


class Guard:
    """Lets calls through whose token may make them; the others are refused, counted and written down."""

    def __init__(self, keyring: Keyring, denials: Denials) -> None:
        """Makes a guard.

        Args:
            keyring: The tokens in force.
            denials: Where refused calls are counted.
        """
        self._keyring = keyring
        self._denials = denials
        self._lock = threading.Lock()
        self._streams: dict[grpc.ServicerContext, Token] = {}

    def before(self, method: str, handler: Any) -> Any:
        """Returns `handler`, guarded.

        Args:
            method: Its full name, such as "sortition.rpc.v1.Assignment/Assign".
            handler: What answers its calls.

        Raises:
            InternalError: The method has no role.
        """
        required = required_role(method)
        if required is None:
            return handler
        if handler.unary_unary:
            return handler._replace(unary_unary=self._unary(method, required, handler.unary_unary))
        if handler.stream_stream:
            return handler._replace(stream_stream=self._stream(method, required, handler.stream_stream))
        if handler.unary_stream and getattr(handler.unary_stream, _NON_BLOCKING, False):
            return handler._replace(unary_stream=self._watch(method, required, handler.unary_stream))
        raise InternalError(f"{method} streams in one direction; teach the guard about such methods")

    def sweep(self) -> None:
        """Ends the streams whose token has been revoked or has expired."""
        with self._lock:
            open_streams = list(self._streams.items())
        for context, token in open_streams:
            if not self._keyring.holds(token) or _expired(token):
                context.cancel()  # type: ignore[no-untyped-call]

    def _unary(self, method: str, required: Role, behavior: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        admit = self._admit

        def serve(request: Any, context: grpc.ServicerContext) -> Any:
            admit(context, method, required)
            return behavior(request, context)

        def serve_admin(request: Any, context: grpc.ServicerContext) -> Any:
            before = CALLER.set(admit(context, method, required))
            try:
                return behavior(request, context)
            finally:
                CALLER.reset(before)

        return _on_threads_of(behavior, serve_admin if required is Role.ADMIN else serve)

    def _stream(
        self, method: str, required: Role, behavior: Callable[[Any, Any], Iterator[Any]]
    ) -> Callable[[Any, Any], Iterator[Any]]:
        def serve(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
            token = self._admit(context, method, required)
            with self._lock:
                self._streams[context] = token
            try:
                yield from behavior(requests, context)
            finally:
                with self._lock:
                    del self._streams[context]

        return _on_threads_of(behavior, serve)

    def _watch(
        self, method: str, required: Role, behavior: Callable[[Any, Any, Any], None]
    ) -> Callable[[Any, Any, Any], None]:
        """Guards a behaviour that leaves its stream open behind it."""

        def serve(request: Any, context: grpc.ServicerContext, send: Any) -> None:
            token = self._admit(context, method, required)
            with self._lock:
                self._streams[context] = token

            def over() -> None:
                with self._lock:
                    self._streams.pop(context, None)

            if not context.add_callback(over):
                over()
            behavior(request, context, send)

        setattr(serve, _NON_BLOCKING, True)
        return _on_threads_of(behavior, serve)

    def _admit(self, context: grpc.ServicerContext, method: str, required: Role) -> Token:
        """Returns the caller's token; ends the call when it may not be made."""
        header: Any = None
        for key, value in context.invocation_metadata():
            if key == _HEADER:
                header = value
        if header is None:
            self._deny(context, method, "", Unauthenticated(f"a token is needed; {_ADVICE}"), "no token")
        token = self._keyring.find(header)
        if token is None:
            # Whether it never was one or was revoked, nobody has to know.
            self._deny(context, method, "", Unauthenticated(f"the token is not valid; {_ADVICE}"), "not valid")
        if _expired(token):
            error = Unauthenticated(f"token {token.name!r} has expired; see `sortition token create`")
            self._deny(context, method, token.name, error, "expired")
        if not token.role.allows(required):
            text = f"token {token.name!r} has the role {token.role.value}; {method} needs {required.value}"
            self._deny(context, method, token.name, PermissionDenied(text), f"role {token.role.value}")
        return token

    def _deny(
        self, context: grpc.ServicerContext, method: str, caller: str, error: SortitionError, why: str
    ) -> NoReturn:
        self._denials.note(Denial(caller, method, error.code, why, _peer(context)))
        abort(context, error)


def _expired(token: Token) -> bool:
    return token.expires_at is not None and token.expires_at.timestamp() <= time.time()


def _peer(context: grpc.ServicerContext) -> str:
    """Returns the address of a caller, without its port, which would make each connection a kind of its own."""
    peer = unquote(context.peer())
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else "unix"


def _on_threads_of(behavior: Callable[P, T], guarded: Callable[P, T]) -> Callable[P, T]:
    """Makes grpcio run `guarded` on the threads it would run `behavior` on."""
    threads = getattr(behavior, _THREADS, None)
    if threads is not None:
        setattr(guarded, _THREADS, threads)
    return guarded
