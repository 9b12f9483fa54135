"""A pause of one sidecar's own, until everybody knows of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sortition.model import JsonObject
from sortition.store.records import DecisionRecord

__all__ = ["Hold"]


@dataclass(frozen=True)
class Hold:
    """An experiment that one sidecar answers with the control.

    Attributes:
        experiment_id: Its id.
        organization: Who owns it.
        key: Its key.
        decision: The decision to be stored; its id makes reporting it twice one report.
        reported: Whether the database knows.
    """

    experiment_id: str
    organization: str
    key: str
    decision: DecisionRecord
    reported: bool = False

    def to_json(self) -> JsonObject:
        """Returns it as plain JSON."""
        plain: dict[str, Any] = asdict(self)
        plain["decision"]["at"] = self.decision.at.isoformat()
        return plain

    @classmethod
    def from_json(cls, stored: Any) -> Hold:
        """Returns what `to_json` wrote.

        Raises:
            KeyError: Something is missing.
            TypeError: It is something else.
            ValueError: A value is damaged.
        """
        decision = dict(stored["decision"])
        decision["at"] = datetime.fromisoformat(decision["at"])
        return cls(**{**stored, "decision": DecisionRecord(**decision)})
