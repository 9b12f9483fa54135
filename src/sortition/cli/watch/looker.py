"""Looks at experiments again and again, and outlasts a sidecar that restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from sortition.cli.group import say
from sortition.cli.session import Session
from sortition.errors import Unavailable

if TYPE_CHECKING:
    from sortition.rpc.v1.analysis_pb2 import ExperimentReport

__all__ = ["Looker", "Reports", "has_ended"]

_PAGE: Final = 100
# Whoever watches all of them for months wants to see what ended last.
_KEPT: Final = 20
_SOON_S, _LATER_S = 0.25, 2.0

Reports: TypeAlias = "dict[tuple[str, str], ExperimentReport]"
"""What a look has found, by organization and key."""


class Looker:
    """Looks at experiments, and outlasts a sidecar that restarts.

    Attributes:
        notice: Tells whoever watches that the sidecar is away.
    """

    def __init__(self, session: Session, keys: list[str], patience_s: float, pause: threading.Event) -> None:
        """Looks at nothing yet.

        Args:
            session: The connection.
            keys: Which experiments; all that run or are paused when empty.
            patience_s: How long a sidecar that went away may stay away.
            pause: Waited for between attempts.
        """
        self._session = session
        self._keys = keys
        self._patience_s = patience_s
        self._pause = pause
        self.notice: Callable[[str], None] = say
        self._told = False

    def look(self) -> Reports:
        """Looks once.

        Raises:
            NotFound: There is no experiment with one of the keys.
            Unavailable: No sidecar answers.
        """
        from sortition.rpc.v1.analysis_pb2 import GetStatusRequest

        session = self._session
        if not self._keys:
            return {_name(each): each for each in self._under_way()}
        found: Reports = {}
        for key in self._keys:
            request = GetStatusRequest(key=key, organization=session.organization)
            report: ExperimentReport = session.call(session.analysis.GetStatus, request)
            found[_name(report)] = report
        return found

    def again(self, before: Reports) -> Reports:
        """Looks again; what went out of the list of all has ended, and is asked for by its key.

        Raises:
            Unavailable: The sidecar stayed away for too long.
        """
        until, told = time.monotonic() + self._patience_s, False
        wait = _SOON_S
        while True:
            try:
                return self._fresh(before)
            except Unavailable as error:
                if time.monotonic() >= until:
                    raise
                if not told:
                    self.notice(f"{error.message}; trying again for {self._patience_s:g} s")
                    told = True
                # A sidecar that is back may listen elsewhere.
                self._session.reconnect()
                self._pause.wait(wait)
                wait = min(2 * wait, _LATER_S)

    def _fresh(self, before: Reports) -> Reports:
        from sortition.rpc.v1.analysis_pb2 import GetStatusRequest

        found = self.look()
        for (organization, key), report in before.items():
            if (organization, key) in found:
                continue
            if not has_ended(report):
                request = GetStatusRequest(key=key, organization=organization)
                report = self._session.call(self._session.analysis.GetStatus, request)
            found[organization, key] = report
        if self._keys:
            return found
        over = [name for name, report in found.items() if has_ended(report)]
        for name in over[:-_KEPT]:
            del found[name]
        return found

    def _under_way(self) -> list[ExperimentReport]:
        from sortition.rpc.v1.analysis_pb2 import ListStatusRequest, ListStatusResponse

        session = self._session
        request = ListStatusRequest(organization=session.organization, page_size=_PAGE)
        page: ListStatusResponse = session.call(session.analysis.ListStatus, request)
        if page.next_page_token and not self._told:
            self._told = True
            say(f"only the newest {_PAGE} are watched; name the keys of others")
        return list(page.reports)


def has_ended(report: ExperimentReport) -> bool:
    """Returns whether an experiment is over."""
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    ended = (ExperimentStatus.EXPERIMENT_STATUS_COMPLETED, ExperimentStatus.EXPERIMENT_STATUS_CANCELLED)
    return report.experiment.status in ended


def _name(report: ExperimentReport) -> tuple[str, str]:
    spec = report.experiment.spec
    return spec.organization, spec.key
