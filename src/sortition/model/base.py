"""What every part of a specification has in common: frozen, closed, and all violations at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from sortition.errors import InvalidArgument, Violation

__all__ = ["Part", "refuse", "validate"]

PartT = TypeVar("PartT", bound="Part")


class Part(BaseModel):
    """A frozen, validated piece of a specification."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=False)


def refuse(found: Iterable[tuple[tuple[int | str, ...], str, object]]) -> None:
    """Raises one error with everything in `found`: where it is, what is wrong, the value. Does nothing when it is empty."""
    details = [
        InitErrorDetails(type=PydanticCustomError("spec", "{text}", {"text": text}), loc=where, input=value)
        for where, text, value in found
    ]
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
    return Violation(path, _description(detail))


def _description(detail: ErrorDetails) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a known field"
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    message = detail["msg"][:1].lower() + detail["msg"][1:]
    return message if kind == "spec" or kind.startswith(("name", "text")) else f"{message}, but is {shown}"
