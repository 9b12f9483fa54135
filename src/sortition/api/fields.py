"""Checks of what requests of the control plane have in common; every violation of a request at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

from google.protobuf import struct_pb2

from sortition.api.caller import CALLER
from sortition.errors import InvalidArgument, Violation
from sortition.lifecycle import Actor
from sortition.model import DEFAULT_ORGANIZATION, ExperimentStatus, JsonObject, SubjectRef, validate
from sortition.model.base import Part
from sortition.model.variant import Config
from sortition.model.wire import config_from_struct, status_from_proto, subject_from_proto
from sortition.rpc.v1 import admin_pb2, common_pb2

__all__ = ["MAX_PAGE", "Fields"]

MAX_PAGE: Final = 1000
"""The largest page there is."""

ValueT = TypeVar("ValueT")


class _HasActor(Protocol):
    actor: admin_pb2.Actor


class _HasConfig(Protocol):
    config: struct_pb2.Struct


class _Configuration(Part):
    config: Config


class Fields:
    """Collects what is wrong with a request; raises on leaving its `with` block if anything is.

    What a check returns may only be used behind the block.
    """

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def __enter__(self) -> Fields:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._found:
            raise InvalidArgument.of(self._found)

    def refuse(self, field: str, description: str) -> None:
        """Notes a violation."""
        self._found.append(Violation(field, description))

    def take(self, make: Callable[[], ValueT], prefix: str = "") -> ValueT:
        """Returns what `make` returns, and notes the violations it raises, their fields below `prefix`."""
        try:
            return make()
        except InvalidArgument as error:
            for found in error.violations or [Violation("", error.message)]:
                self.refuse(".".join(part for part in (prefix, found.field) if part), found.description)
            # Never seen by anybody: the block ends with the violations.
            return None  # type: ignore[return-value]

    def required(self, field: str, text: str) -> str:
        """Checks that `text` is there."""
        if not text:
            self.refuse(field, "is required")
        return text

    def organization(self, text: str) -> str:
        """Returns the organization, the default one when `text` is empty."""
        return text or DEFAULT_ORGANIZATION

    def subject(self, request: object, field: str) -> SubjectRef:
        """Returns the subject in a field of `request`."""
        message: common_pb2.SubjectRef = getattr(request, field)
        return self.take(lambda: subject_from_proto(message, field))

    def config(self, request: _HasConfig) -> JsonObject:
        """Returns the configuration in a request."""
        raw = {"config": config_from_struct(request.config)}
        return self.take(lambda: validate(_Configuration, raw).config)

    def statuses(self, numbers: Iterable[int]) -> tuple[ExperimentStatus, ...]:
        """Returns the statuses of a filter; all when one of them is 0, which means any."""
        wanted = tuple(numbers)
        found = [
            self.take(lambda number=number, index=index: status_from_proto(number, f"statuses[{index}]"))  # type: ignore[misc]
            for index, number in enumerate(wanted)
            if number
        ]
        return tuple(ExperimentStatus) if 0 in wanted else tuple(found)

    def page(self, size: int, *, default: int = 50, limit: int = MAX_PAGE) -> int:
        """Returns the size of a page, the default when it is 0."""
        if size > limit:
            self.refuse("page_size", f"is {size}; it must be 1 to {limit}, or 0 for {default}")
        return size or default

    def actor(self, request: _HasActor, *, forcing: bool = False) -> Actor:
        """Returns who does it and why; whoever is `forcing` something has to say why.

        A caller that has a token is known by the token's name, whatever name it claims.
        """
        token = CALLER.get()
        said = request.actor
        actor = Actor(said.name, said.reason) if token is None else Actor(token.name, said.reason, claimed=said.name)
        self._found.extend(actor.violations(forcing=forcing))
        return actor
