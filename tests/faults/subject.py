"""The experiments under fault: one that assigns, one whose variants are chosen elsewhere; a metric of each shape."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from faults.truth import Exposed, Observed
from sidecars import TIMEOUT_S, Stubs, start_experiment
from sortition.core import allocate, bucket
from sortition.rpc.v1 import admin_pb2, assignment_pb2, recording_pb2

__all__ = ["Outcome", "Subject"]

_DAY_MS = 86_400_000
_DAYS = 3
_CAP = 900
_VARIANTS = ("slow", "fast")
_WEIGHTS = (5_000, 5_000)
_METRICS: list[dict[str, object]] = [
    {"name": "time", "kind": "duration", "unit": "s", "goal": "minimize", "role": "primary", "cap_max": _CAP},
    {"name": "found", "kind": "binary", "goal": "maximize"},
    {"name": "bytes", "kind": "continuous", "goal": "minimize", "covariate": "the bytes of the day before"},
    {"name": "cost", "kind": "ratio", "goal": "minimize"},
]
_TIME, _FOUND, _BYTES, _COST = range(4)
_ASSIGNED, _EXTERNAL = "assigned", "external"


@dataclass(frozen=True)
class Outcome:
    """What happened to one unit, and what it is worth once it is acknowledged."""

    message: recording_pb2.Outcome
    observed: Sequence[Observed]
    exposed: Sequence[Exposed]


class Subject:
    """Both experiments, running, and what calls about them have to come to."""

    KEYS = (_ASSIGNED, _EXTERNAL)

    def __init__(self, ids: dict[str, str]) -> None:
        self._ids = ids
        # A minute ago, so that no clock of the same machine finds it ahead.
        self._now_ms = int(time.time() * 1000) - 60_000

    @classmethod
    def declare(cls, stubs: Stubs) -> Subject:
        """Creates the experiments and starts them."""
        ids = {}
        for key in cls.KEYS:
            start_experiment(
                stubs,
                key,
                subject={"kind": "agent", "id": key},
                metrics=_METRICS,
                external_assignment=key == _EXTERNAL,
            )
            found = stubs.admin.GetExperiment(admin_pb2.GetExperimentRequest(key=key), timeout=TIMEOUT_S)
            ids[key] = found.id
        return cls(ids)

    def variant(self, unit: str) -> int:
        """Returns the variant that a unit has to be assigned."""
        return allocate(_WEIGHTS, bucket(self._ids[_ASSIGNED], unit))

    def exposure(self, unit: str) -> tuple[bytes, bytes, Exposed, str]:
        """Returns a request to assign a unit, one to expose it, what either is worth, and the variant's name."""
        variant = self.variant(unit)
        return (
            assignment_pb2.AssignRequest(experiment=_ASSIGNED, unit=unit).SerializeToString(),
            assignment_pb2.ExposeRequest(experiment=_ASSIGNED, unit=unit).SerializeToString(),
            Exposed(self._ids[_ASSIGNED], variant, unit),
            _VARIANTS[variant],
        )

    def outcome(self, unit: str, chance: random.Random, *, dated: bool) -> Outcome:
        """Makes up an outcome of a unit.

        Args:
            unit: The unit.
            chance: Decides.
            dated: Whether it says when it happened, one of a few days, so that there are cells to tell apart.
        """
        key = chance.choice(self.KEYS)
        # Where nobody assigns, all have to agree on the variant of a unit all the same.
        variant = self.variant(unit) if key == _ASSIGNED else sum(unit.encode()) % len(_VARIANTS)
        message = recording_pb2.Outcome(experiment=key, unit=unit, variant=_VARIANTS[variant])
        day = None
        if dated:
            message.occurred_at_ms = self._now_ms - chance.randrange(_DAYS) * _DAY_MS
            day = message.occurred_at_ms // _DAY_MS
        observed = []
        for metric in chance.sample(range(len(_METRICS)), chance.randint(1, len(_METRICS))):
            value, denominator, covariate, clamped = chance.randint(1, 2**20), 1, None, False
            sent = message.observations.add(metric=str(_METRICS[metric]["name"]))
            if metric == _TIME:
                value = chance.randint(1, _CAP + 100)
                sent.number = value
                clamped, value = value > _CAP, min(value, _CAP)
            elif metric == _FOUND:
                value = chance.randint(0, 1)
                sent.flag = bool(value)
            elif metric == _BYTES:
                covariate = chance.randint(1, 2**20)
                sent.number, sent.covariate = value, covariate
            else:
                denominator = chance.randint(1, 50)
                sent.number, sent.denominator = value, denominator
            observed.append(
                Observed(
                    self._ids[key], variant, metric, day, unit, value, denominator, covariate, clamped, metric == _TIME
                )
            )
        exposed = [Exposed(self._ids[key], variant, unit)] if key == _EXTERNAL else []
        return Outcome(message, observed, exposed)
