"""Words and texts in tables."""

from __future__ import annotations

import re
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from sortition.rpc.v1 import snapshot_pb2
from sortition.rpc.v1.experiment_pb2 import Goal, MetricRole
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

__all__ = [
    "clean",
    "duration",
    "goal_arrow",
    "kind_word",
    "moment",
    "plural",
    "role_word",
    "status_text",
    "status_word",
]

# Texts come from other people: what they hold must not steer the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STATUS_STYLE = {"running": "green", "paused": "yellow", "completed": "cyan", "cancelled": "dim", "draft": "dim"}


def clean(text: str) -> str:
    """Returns `text` with control characters made visible as ``�``."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def status_word(status: ExperimentStatus) -> str:
    """Returns a status as people write it: ``running``."""
    return snapshot_pb2.ExperimentStatus.Name(status).removeprefix("EXPERIMENT_STATUS_").lower()


def status_text(status: ExperimentStatus) -> Text:
    """Returns a status in its colour."""
    word = status_word(status)
    return Text(word, style=_STATUS_STYLE.get(word, ""))


def kind_word(kind: snapshot_pb2.MetricKind) -> str:
    """Returns a metric's kind as people write it: ``binary``."""
    return snapshot_pb2.MetricKind.Name(kind).removeprefix("METRIC_KIND_").lower()


def role_word(role: MetricRole) -> str:
    """Returns a metric's role as people write it: ``guardrail``."""
    return MetricRole.Name(role or MetricRole.METRIC_ROLE_SECONDARY).removeprefix("METRIC_ROLE_").lower()


def goal_arrow(goal: Goal) -> str:
    """Returns which way is better."""
    return "↓" if goal == Goal.GOAL_MINIMIZE else "↑"


def plural(word: str) -> str:
    """Returns the plural of a kind of unit: ``sessions``."""
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return f"{word[:-1]}ies"
    return word if word.endswith("s") else f"{word}s"


def duration(seconds: float) -> str:
    """Returns a length of time in its two largest units: ``2 h 10 min``."""
    total = max(0, int(seconds))
    parts = [(total // 86_400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"), (total % 60, "s")]
    first = next((index for index, (amount, _) in enumerate(parts) if amount), len(parts) - 1)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount) or "0 s"


def moment(at: Timestamp) -> str:
    """Returns a time in UTC: ``2026-01-31 12:00 UTC``."""
    when: datetime = at.ToDatetime()
    return f"{when:%Y-%m-%d %H:%M} UTC"
