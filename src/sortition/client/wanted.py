"""What a caller wants assigned."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sortition.errors import InvalidArgument
from sortition.rpc.v1 import assignment_pb2, common_pb2

__all__ = ["Wanted", "unit_text", "utf8"]

# A name without a kind is an agent's: agents are what this client is made for.
_USUAL_KIND = "agent"


@dataclass(frozen=True)
class Wanted:
    """An experiment, a subject, or several subjects, as the caller names them.

    Attributes:
        names: The names as they were given; what defaults are looked up by and messages speak of.
        by_key: Whether the one name is the key of an experiment.
        several: Whether the names are candidates, of which the sidecar takes one.
    """

    names: tuple[str, ...]
    by_key: bool = False
    several: bool = False

    @classmethod
    def of(cls, subject: str | None, experiment: str | None, any_of: Sequence[str] | None) -> Wanted:
        """Makes it from the three ways to say it.

        Raises:
            TypeError: Not exactly one of them is given, or `any_of` is a text.
        """
        if sum(given is not None for given in (subject, experiment, any_of)) != 1:
            raise TypeError("assign() needs exactly one of a subject, experiment=KEY and any_of=[SUBJECT, ...]")
        if isinstance(any_of, str):
            raise TypeError(f"any_of is a list of subjects, but is the text {any_of!r}")
        one = experiment if subject is None else subject
        names = tuple(any_of or ()) if one is None else (one,)
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"subjects and experiments have names of text, but {name!r} is {type(name).__name__}")
        return cls(names, by_key=experiment is not None, several=any_of is not None)

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"experiment {self.names[0]}" if self.by_key else ", ".join(self.names)

    @property
    def default_keys(self) -> Iterable[str]:
        """The keys under which a default may be configured, the first one first."""
        for name in self.names:
            yield name
            if not self.by_key:
                ref = _subject(name)
                yield f"{ref.kind}/{ref.id}"

    def request(
        self, unit: str, organization: str, expose: bool, known: Iterable[bytes]
    ) -> assignment_pb2.AssignRequest:
        """Returns the request that asks for it.

        Args:
            unit: What is randomized.
            organization: Who owns the experiment.
            expose: Whether the answer counts as an exposure.
            known: Hashes of configurations that need not be sent again.

        Raises:
            InvalidArgument: A name has no UTF-8 form.
        """
        for name in self.names:
            utf8("experiment" if self.by_key else "subject", name)
        request = assignment_pb2.AssignRequest(unit=unit, organization=organization, known_config_hashes=known)
        if not expose:
            request.expose = False
        if self.by_key:
            request.experiment = self.names[0]
        elif self.several:
            request.any_of.CopyFrom(assignment_pb2.SubjectList(subjects=map(_subject, self.names)))
        else:
            request.subject.CopyFrom(_subject(self.names[0]))
        return request


def _subject(name: str) -> common_pb2.SubjectRef:
    """Reads ``kind/id``; a name alone is an agent's."""
    kind, slash, rest = name.partition("/")
    return common_pb2.SubjectRef(kind=kind, id=rest) if slash else common_pb2.SubjectRef(kind=_USUAL_KIND, id=name)


def unit_text(unit: object) -> str:
    """Returns a unit's id as text.

    Raises:
        InvalidArgument: It is not a text, an integer or a UUID. Other things, None above all, would turn many units
            into one.
    """
    if isinstance(unit, bool) or not isinstance(unit, (str, int, uuid.UUID)):
        kind = type(unit).__name__
        raise InvalidArgument.of(
            [("unit", f"must be text, an integer or a UUID, but is {kind}; pass the id of the session")]
        )
    return utf8("unit", str(unit))


def utf8(field: str, text: str) -> str:
    """Returns `text` if it has a UTF-8 form.

    Raises:
        InvalidArgument: It has none.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument.of([(field, f"cannot be written as UTF-8: {error.reason}")]) from None
    return text
