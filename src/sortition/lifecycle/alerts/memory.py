"""What a sidecar remembers of its own alerts, over a restart: those that are open, and what is still to be said."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from sortition.files import replace_file
from sortition.store.alerts import AlertRecord, DeliveryRecord

__all__ = ["Memory"]

_FORMAT: Final = 1
# Older than these nobody needs; one that is forgotten is logged all the same.
_MOST: Final = 200

_log = structlog.get_logger("sortition.alerts")
RecordT = TypeVar("RecordT", AlertRecord, DeliveryRecord)


@dataclass
class Memory:
    """A sidecar's own alerts.

    Attributes:
        path: The file.
        alerts: Those that are not resolved, by id.
        outbox: What has to be sent, oldest first.
        unreported: What the database does not know yet, oldest first: an alert as it was, and what was told of it.
    """

    path: Path
    alerts: dict[str, AlertRecord] = field(default_factory=dict)
    outbox: list[DeliveryRecord] = field(default_factory=list)
    unreported: list[tuple[AlertRecord, str]] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Memory:
        """Reads the file; what is damaged is said, and forgotten."""
        memory = cls(path)
        try:
            stored = json.loads(path.read_bytes())
            if stored["format"] != _FORMAT:
                raise ValueError(f"its format is {stored['format']}")
            memory.alerts = {one["id"]: _read(AlertRecord, one) for one in stored["alerts"]}
            memory.outbox = [_read(DeliveryRecord, one) for one in stored["outbox"]]
            memory.unreported = [(_read(AlertRecord, one["alert"]), str(one["told"])) for one in stored["unreported"]]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("what was alerted here is not known", path=str(path), error=str(error))
            return cls(path)
        return memory

    def save(self) -> None:
        """Writes the file; where that fails it is said, and everything goes on."""
        self.outbox = self.outbox[-_MOST:]
        self.unreported = self.unreported[-_MOST:]
        content = {
            "format": _FORMAT,
            "alerts": [_plain(one) for one in self.alerts.values()],
            "outbox": [_plain(one) for one in self.outbox],
            "unreported": [{"alert": _plain(alert), "told": told} for alert, told in self.unreported],
        }
        try:
            replace_file(self.path, json.dumps(content, separators=(",", ":")).encode())
        except OSError as error:
            _log.error("what is alerted here is not written down", path=str(self.path), error=str(error))


def _plain(record: AlertRecord | DeliveryRecord) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(record).items()}


def _read(kind: type[RecordT], stored: dict[str, Any]) -> RecordT:
    moments = {one.name for one in fields(kind) if "datetime" in str(one.type)}
    values: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in moments and value is not None else value
        for name, value in stored.items()
    }
    return kind(**values)
