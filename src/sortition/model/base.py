"""What every part of a specification has in common: frozen, closed, and all violations at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NoReturn, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from sortition.errors import InvalidArgument, Violation

__all__ = ["Part", "Refused", "describe", "refuse", "validate"]

PartT = TypeVar("PartT", bound="Part")


# A context that asks for what earlier versions know.
_EARLIER: Mapping[str, bool] = {"earlier": True}
# A context that asks for every field, whatever it says.
_FULL: Mapping[str, bool] = {"full": True}


class Part(BaseModel):
    """A frozen, validated piece of a specification.

    Attributes:
        later: The fields that came after the first release. They are left out of its JSON while they have their
            default, so that what was stored before keeps its hash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=False)

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        plain: dict[str, Any] = dump(self)
        if info.context is _FULL:
            return plain
        fields = type(self).model_fields
        for name in self.later:
            if info.context is _EARLIER or getattr(self, name) == fields[name].default:
                plain.pop(name, None)
        return plain

    def earlier(self) -> dict[str, Any]:
        """Returns its JSON as the first release knows it: without the fields that came later, whatever they say."""
        return self.model_dump(mode="json", context=_EARLIER)

    def full(self) -> dict[str, Any]:
        """Returns its JSON with every field, those that came later and have their default too."""
        return self.model_dump(mode="json", context=_FULL)


Refused: TypeAlias = "tuple[tuple[int | str, ...], str, object]"
"""A refused piece: where it is, what is wrong with it, its value."""


def refuse(found: Iterable[Refused], beside: ValidationError | None = None) -> None:
    """Raises one error with everything in `found`, and in the error `beside` it. Does nothing when there is nothing."""
    details = [
        # The messages are finished text: as a template, a brace in somebody's value would be read as a field.
        InitErrorDetails(
            type=PydanticCustomError(detail["type"], "{text}", {"text": detail["msg"]}),
            loc=detail["loc"],
            input=detail["input"],
        )
        for detail in (beside.errors() if beside else ())
    ]
    details.extend(
        InitErrorDetails(type=PydanticCustomError("spec", "{text}", {"text": text}), loc=where, input=value)
        for where, text, value in found
    )
    if details:
        raise ValidationError.from_exception_data("specification", details)


def validate(kind: type[PartT], raw: Mapping[str, Any]) -> PartT:
    """Makes a `kind` from plain values.

    Raises:
        InvalidArgument: Lists every violation with its path.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        _raise(error)


def _raise(error: ValidationError) -> NoReturn:
    raise InvalidArgument.of(_violation(detail) for detail in error.errors()) from None


def _violation(detail: ErrorDetails) -> Violation:
    path = ""
    for step in detail["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return Violation(path, describe(detail))


def describe(detail: ErrorDetails) -> str:
    """Says what is wrong with one field, in the words of this project."""
    kind, value = detail["type"], detail["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a known field"
    message = detail["msg"][:1].lower() + detail["msg"][1:]
    return message if kind == "spec" or kind.startswith(("name", "text")) else f"{message}, but is {_shown(value)}"


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:
        # The interpreter refuses to write integers of thousands of digits.
        return f"a {type(value).__name__} too long to show"
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
