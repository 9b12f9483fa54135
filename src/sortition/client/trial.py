"""One unit's trial: its variant, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sortition.client.answer import Answer, Reason
from sortition.client.dimensions import Dimensions, levels
from sortition.client.measure import Automatic, Stopwatch
from sortition.client.observations import MAX_OBSERVATIONS, Value, Values, observation, observations
from sortition.client.outbox import Parcel
from sortition.client.protocol import Protocol
from sortition.errors import ResourceExhausted, SortitionError
from sortition.rpc.v1 import recording_pb2

__all__ = ["TrialBase"]


class TrialBase:
    """What the trials of both clients share. Not to be shared between threads.

    Attributes:
        unit: The id that was randomized.
        answer: All that the sidecar answered.
    """

    def __init__(
        self, protocol: Protocol, unit: str, answer: Answer, automatic: Automatic, dimensions: Dimensions | None = None
    ) -> None:
        self.unit = unit
        self.answer = answer
        self._protocol = protocol
        self._automatic = automatic
        self._watch = Stopwatch()
        self._measured: list[recording_pb2.Observation] = []
        self._dimensions: dict[str, str] = {}
        self._failed = False
        self._finished = False
        if dimensions:
            self.record(dimensions=dimensions)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration to use, as in ``search(query, **trial.config)``; the caller's own copy."""
        return self.answer.config

    @property
    def variant(self) -> str:
        """The variant's name; empty when no experiment runs or the sidecar gave no answer."""
        return self.answer.variant

    @property
    def experiment(self) -> str:
        """The experiment's key; empty when none runs or the sidecar gave no answer."""
        return self.answer.experiment

    @property
    def reason(self) -> Reason:
        """Why this variant."""
        return self.answer.reason

    @property
    def exposed(self) -> bool:
        """Whether the unit counts as exposed by this answer."""
        return self.answer.exposed

    @property
    def error(self) -> SortitionError | None:
        """Why the sidecar gave no answer; ``None`` when it did."""
        return self.answer.error

    @property
    def recording(self) -> bool:
        """Whether outcomes count: only those of units that chance gave their variant do."""
        return bool(self.experiment and self.variant) and self.reason.randomized

    def record(
        self, values: Mapping[str, Values] | None = None, /, *, dimensions: Dimensions | None = None, **metrics: Values
    ) -> None:
        """Notes what was measured; it is sent when the trial ends.

        Args:
            values: Values by metric, for names that are no Python identifiers.
            dimensions: What the unit's outcomes are broken down by, such as ``{"device": "mobile"}``: all that this
                trial records, before and after. What an experiment does not declare is left out.
            **metrics: Values by metric. Several values of one metric may be given as a list.

        Raises:
            InvalidArgument: A value is not a finite number or a truth value, or a level no text; nothing of the call is
                noted. Only with ``on_error="raise"``; else it is logged and counted as refused.
        """
        try:
            found = levels(dimensions, self._dimensions)
            self._note(observations({**(values or {}), **metrics}))
            self._dimensions = found
        except SortitionError as error:
            self._protocol.refuse_values(error, self.experiment)

    def observe(
        self, metric: str, value: Value, *, denominator: float | None = None, covariate: float | None = None
    ) -> None:
        """Notes one value of one metric, as often as it is measured.

        Args:
            metric: The metric's name.
            value: The value, in the metric's unit.
            denominator: For ratio metrics: what the value is divided by, > 0; 1 when absent.
            covariate: For metrics with a covariate: its value, known before exposure.

        Raises:
            InvalidArgument: As for `record`.
        """
        try:
            self._note([observation(metric, value, denominator, covariate)])
        except SortitionError as error:
            self._protocol.refuse_values(error, self.experiment)

    def fail(self) -> None:
        """Marks the trial as failed, where no exception says so."""
        self._failed = True

    def _note(self, found: list[recording_pb2.Observation]) -> None:
        if len(self._measured) + len(found) > MAX_OBSERVATIONS:
            raise ResourceExhausted(
                f"a trial may hold {MAX_OBSERVATIONS} observations and holds {len(self._measured)}; "
                f"{len(found)} more were not noted: end the trial and begin another, or record aggregates"
            )
        self._measured.extend(found)

    def _finish(self, failed: bool) -> Parcel | None:
        """Ends the trial; returns what is to be sent, ``None`` the second time and where nothing counts."""
        seconds = self._watch.stop()
        if self._finished:
            return None
        self._finished = True
        if not self.recording:
            return None
        recorded = {each.metric for each in self._measured}
        automatic = self._automatic.observations(seconds, not (failed or self._failed), recorded)
        return self._protocol.parcel(
            self.experiment, self.unit, self.variant, [*self._measured, *automatic], self._dimensions
        )
