"""What is declared is registered at the start: frozen, with a hash that anybody can compute again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sortition.errors import FailedPrecondition, Violation
from sortition.lifecycle.allocation import first_allocation
from sortition.lifecycle.change import Change, experiment_object
from sortition.lifecycle.stopping import stopping_rule
from sortition.model import ExperimentSpec, JsonObject, JsonValue, canonical_json, config_hash
from sortition.store import audit, registrations, subjects
from sortition.store.records import DeviationRecord, ExperimentRecord, PeekRecord, RegistrationRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "ALGORITHM",
    "Registered",
    "declared",
    "document_of",
    "record_deviation",
    "refuse_change",
    "register",
    "stopping_rule_of",
    "verify",
]

ALGORITHM: Final = "sha256-canonical-json/1"
"""SHA-256 over the document's bytes: canonical JSON in UTF-8."""
FORMAT: Final = "sortition-registration/1"
START: Final = "experiment.start"

# Words for people: to correct a typing error in them changes no question and no answer.
_UNREGISTERED: Final = ("name", "description")
_MAX_SHOWN: Final = 80
_AT_ONCE: Final = 100
_ABSENT: Final = object()


@dataclass(frozen=True)
class Registered:
    """What is known of an experiment's registration.

    Attributes:
        record: The experiment.
        peeks: How often results were shown while it ran.
        deviations: What was done beside the registration, oldest first.
        differences: Where what is stored says something else than what was registered; empty when it holds.
    """

    record: ExperimentRecord
    peeks: PeekRecord
    deviations: tuple[DeviationRecord, ...]
    differences: tuple[str, ...]


def declared(spec: ExperimentSpec) -> JsonObject:
    """Returns what is registered of a specification: all but names and descriptions, configurations by their hash."""
    plain = {field: value for field, value in spec.full().items() if field not in _UNREGISTERED}
    plain["variants"] = [
        {
            **{field: value for field, value in variant.items() if field not in ("description", "config")},
            "config_sha256": config_hash(variant["config"]),
        }
        for variant in plain["variants"]
    ]
    return plain


def document_of(tx: Connection, record: ExperimentRecord, at: datetime, by: str) -> JsonObject:
    """Returns what is registered when somebody starts an experiment now."""
    spec = record.spec
    subject = subjects.get(tx, spec.organization, spec.subject)
    current = subject.current if subject is not None else None
    return {
        "format": FORMAT,
        "experiment": {"id": record.id, "run": record.run.number},
        "registered": {"at": at.isoformat(), "by": by},
        # Variants change the subject's configuration, so what they are depends on it.
        "subject": {
            "version": current.number if current is not None else 0,
            "config_sha256": config_hash(current.config if current is not None else {}),
        },
        "declared": declared(spec),
        "derived": {
            "alpha": spec.decision.alpha,
            "horizon": spec.decision.horizon,
            "stopping_rule": stopping_rule(spec),
        },
    }


def register(change: Change, record: ExperimentRecord) -> RegistrationRecord:
    """Registers an experiment in the transaction of its first start."""
    document = canonical_json(document_of(change.tx, record, change.at, change.actor.name))
    made = RegistrationRecord(
        at=change.at,
        actor=change.actor.name,
        reason=change.actor.reason,
        algorithm=ALGORITHM,
        hash=hashlib.sha256(document).hexdigest(),
        document=document.decode(),
    )
    registrations.insert(change.tx, record.id, made)
    return made


def record_deviation(change: Change, record: ExperimentRecord, kind: str, details: JsonObject) -> None:
    """Records something done by hand to a started experiment that its registration does not say; reports show it.

    What a registered plan does is no deviation.

    Args:
        change: The act; its time, actor and reason are kept with the deviation.
        record: The experiment.
        kind: What was done, such as "reweight".
        details: More about it, such as the weights before and after.
    """
    found = DeviationRecord(change.at, change.actor.name, kind, change.actor.reason, details)
    registrations.add_deviation(change.tx, record.id, found)


def refuse_change(record: ExperimentRecord, spec: ExperimentSpec) -> None:
    """Refuses to change an experiment that was started.

    Raises:
        FailedPrecondition: Always; names every registered field that `spec` would change, with both its values.
    """
    key, registration = record.spec.key, record.registration
    changed = [
        Violation(path, f"is registered as {_shown(old)}, and would become {_shown(new)}")
        for path, old, new in _differences(declared(record.spec), declared(spec))
    ]
    frozen = ""
    if registration is not None:
        frozen = f": what it declares was registered at its start, with the hash {registration.hash[:12]}…,"
        frozen += f" and {len(changed)} of its fields would change" if changed else " and texts for people stay with it"
    raise FailedPrecondition(
        f"experiment {key!r} is {record.status}, and only a draft can be updated{frozen}; open a new run instead, by"
        f" `sortition rerun {key} FILE`",
        changed,
    )


def verify(tx: Connection, record: ExperimentRecord) -> tuple[str, ...]:
    """Returns where what is stored of a registered experiment says something else than what was registered.

    The hash is computed again from the document, the document's parts from the stored experiment, and the audit log
    has to know the hash: whoever changes one behind the others' back is found.
    """
    found = record.registration
    if found is None:
        return ("nothing is registered: it was not started yet, or an older version started it",)
    return tuple(_unlike(tx, record, found))


def stopping_rule_of(registration: RegistrationRecord) -> str:
    """Returns the stopping rule as it was registered; empty where the document is damaged."""
    try:
        return str(json.loads(registration.document)["derived"]["stopping_rule"])
    except (ValueError, KeyError, TypeError):
        return ""


def _unlike(tx: Connection, record: ExperimentRecord, found: RegistrationRecord) -> Iterator[str]:
    if found.algorithm != ALGORITHM:
        yield f"algorithm: is {found.algorithm!r}; this version computes {ALGORITHM!r}"
        return
    content = found.document.encode(errors="replace")
    computed = hashlib.sha256(content).hexdigest()
    if computed != found.hash:
        yield f"hash: is {found.hash}, and the document gives {computed}"
    if found.hash not in _audited(tx, record):
        yield f"audit log: no start of the experiment has registered {found.hash}"
    try:
        document = json.loads(found.document)
        canonical = canonical_json(document) == content
    except ValueError:
        yield "document: is damaged and no JSON any more"
        return
    if not isinstance(document, dict) or not canonical:
        yield "document: is not the canonical JSON that was written"
        return
    said = {
        "experiment": {"id": record.id, "run": record.run.number},
        "registered": {"at": found.at.isoformat(), "by": found.actor},
    }
    for part, stored in said.items():
        yield from _compared(part, document.get(part), stored)
    # A field that did not exist then, and still has its default, changes nothing.
    sparse = record.spec.model_dump(mode="json")
    yield from _compared("declared", document.get("declared"), declared(record.spec), sparse)
    if record.started_at != found.at:
        yield f"started_at: is registered as {found.at.isoformat()}, and stored is {record.started_at}"
    if not record.allocations or record.allocations[0].ranges != first_allocation(record.spec).ranges:
        yield "allocation: the first one is not what the registered weights give"


def _audited(tx: Connection, record: ExperimentRecord) -> set[JsonValue]:
    """Returns the hashes that starts of the experiment have registered, says the audit log."""
    found: set[JsonValue] = set()
    target, after = experiment_object(record.spec.key), ""
    while True:
        events, after = audit.listing(
            tx, organization=record.spec.organization, object=target, action=START, limit=_AT_ONCE, after=after
        )
        found.update(hash for event in events if isinstance(hash := event.details.get("registration"), str))
        if not after:
            return found


def _compared(part: str, registered: object, stored: object, sparse: object = None) -> Iterator[str]:
    for path, old, new in _differences(registered, stored, part, sparse):
        yield f"{path}: is registered as {_shown(old)}, and stored is {_shown(new)}"


def _differences(
    old: object, new: object, path: str = "", sparse: object = None
) -> Iterator[tuple[str, object, object]]:
    """Yields every leaf that differs, as (path, old value, new value).

    With `sparse`, `new` without what came later and has its default, fields that are missing there and in `old` are
    taken to be the same.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}, key=str):
            if name not in old and isinstance(sparse, dict) and name not in sparse:
                continue
            below = sparse.get(name) if isinstance(sparse, dict) else None
            step = f"{path}.{name}" if path else name
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), step, below)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (each[index] if index < len(each) else _ABSENT for each in (old, new))
            below = sparse[index] if isinstance(sparse, list) and index < len(sparse) else None
            yield from _differences(before, after, f"{path}[{index}]", below)
    # What JSON cannot tell apart is the same; True and 1 it can.
    elif old is _ABSENT or new is _ABSENT or canonical_json(old) != canonical_json(new):
        yield path.removesuffix("_sha256"), old, new


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
