"""What has to hold before something is stored, beyond what a specification can know about itself."""

from __future__ import annotations

from collections.abc import Iterable

from sortition.errors import FailedPrecondition, InvalidArgument, Violation
from sortition.model import ExperimentSpec, JsonObject, Variant, canonical_json, merge
from sortition.model.base import Part
from sortition.model.names import CONFIG_BYTES, Key, Text
from sortition.model.subject import SubjectRef
from sortition.model.variant import Config

__all__ = ["SubjectDraft", "VersionDraft", "check_merged", "refuse", "spec_violations"]


class VersionDraft(Part):
    """A version to be added to a subject, at most 256 KiB as JSON."""

    organization: Key
    ref: SubjectRef
    config: Config
    note: Text = ""


class SubjectDraft(Part):
    """A subject to be created, with its first configuration."""

    organization: Key
    ref: SubjectRef
    config: Config
    description: Text = ""


def refuse(found: Iterable[Violation]) -> None:
    """Raises one InvalidArgument that lists everything in `found`; does nothing when it is empty."""
    if violations := tuple(found):
        raise InvalidArgument.of(violations)


def spec_violations(spec: ExperimentSpec, current: JsonObject) -> list[Violation]:
    """Returns what is wrong with `spec` on a subject whose configuration is `current`."""
    found = []
    for index, variant in enumerate(spec.variants):
        size = _merged_size(current, variant)
        if size > CONFIG_BYTES:
            found.append(Violation(f"variants[{index}].config", _too_large(size, spec)))
    return found


def check_merged(spec: ExperimentSpec, current: JsonObject) -> None:
    """Checks again what the subject's configuration may have broken since the specification was stored.

    Raises:
        FailedPrecondition: A variant's configuration has outgrown the limit.
    """
    for variant in spec.variants:
        size = _merged_size(current, variant)
        if size > CONFIG_BYTES:
            raise FailedPrecondition(
                f"experiment {spec.key!r}: the configuration of variant {variant.name!r} {_too_large(size, spec)}"
            )


def _merged_size(current: JsonObject, variant: Variant) -> int:
    return len(canonical_json(merge(current, variant.config)))


def _too_large(size: int, spec: ExperimentSpec) -> str:
    return f"has {size} bytes as JSON over that of {spec.subject}; the limit is {CONFIG_BYTES}"
