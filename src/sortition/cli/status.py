"""``status``: where one experiment stands; or all of them, how those before ended, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortition.cli.command import command
from sortition.cli.experiments import Subject, statuses_of
from sortition.cli.pages import pages
from sortition.cli.session import Output, Session
from sortition.cli.times import moment_before

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sortition.rpc.v1.analysis_pb2 import ExperimentReport, ListStatusRequest, Summary
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

__all__ = ["register"]

_LARGEST_PAGE = 100
_UNDER_WAY = ("running", "paused")
_OVER = ("completed", "cancelled")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "status")(status)


def status(
    session: Session,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="The key of an experiment; default: all of them.")
    ] = None,
    subject: Subject = "",
    wanted: Annotated[
        list[str] | None,
        typer.Option(
            "--status", metavar="STATUS", help="Only these statuses; repeatable.", show_default="all but draft"
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="Without those that had ended before: 2026-01-31, or 30d, 12h for the last."),
    ] = "",
    volume: Annotated[
        float,
        typer.Option(metavar="NUMBER", min=0, max=1e15, help="Outcomes per month, to say what gains are in a month."),
    ] = 0.0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most of each list.")] = 20,
    page_token: Annotated[
        str, typer.Option(metavar="TOKEN", help="Where to go on; with the --status it was given for.")
    ] = "",
) -> None:
    """Show where experiments stand and what is missing, how others ended, and what came of all of them."""
    from sortition.cli.output import print_document, print_table, to_document

    if key is not None:
        _one(session, key)
        return
    names = wanted or ([*_UNDER_WAY] if page_token else [*_UNDER_WAY, *_OVER])
    statuses = dict(zip(names, statuses_of(names), strict=True))
    asked = _Asked(session, subject, moment_before(since, "--since"), limit, page_token)
    under_way = _List(asked, [number for name, number in statuses.items() if name not in _OVER])
    over = _List(asked, [number for name, number in statuses.items() if name in _OVER])
    # Whoever turns a page has seen it.
    summary = None if page_token else asked.summary(volume)
    if session.output is Output.JSON:
        print_document(
            {
                "reports": [to_document(each) for each in under_way],
                "next_page_token": under_way.next_page_token,
                "finished": [to_document(each) for each in over],
                "finished_next_page_token": over.next_page_token,
                "summary": None if summary is None else to_document(summary),
            }
        )
    else:
        print_table(_view(under_way, over, summary, volume))


class _Asked:
    """What all parts of the answer share: whose experiments, since when, and how many."""

    def __init__(self, session: Session, subject: str, since: Any, limit: int, token: str) -> None:
        kind, _, name = subject.partition("/")
        self.session = session
        self.limit = limit
        self.token = token
        self._where: dict[str, Any] = {"organization": session.organization}
        if subject:
            self._where["subject"] = {"kind": kind, "id": name}
        if since is not None:
            self._where["since"] = since

    def listing(self, statuses: list[ExperimentStatus]) -> ListStatusRequest:
        from sortition.rpc.v1.analysis_pb2 import ListStatusRequest

        return ListStatusRequest(statuses=statuses, **self._where)

    def summary(self, volume: float) -> Summary:
        from sortition.rpc.v1.analysis_pb2 import SummarizeRequest

        request = SummarizeRequest(monthly_volume=volume, **self._where)
        found: Summary = self.session.call(self.session.analysis.Summarize, request)
        return found


class _List:
    """Experiments in some statuses, read page by page while they are gone through, and kept by nobody.

    Attributes:
        found: How many there were.
        next_page_token: Where to go on, once they have been gone through.
    """

    def __init__(self, asked: _Asked, statuses: list[ExperimentStatus]) -> None:
        self._asked = asked
        self._statuses = statuses
        self.found = 0
        self.next_page_token = ""

    def __iter__(self) -> Iterator[ExperimentReport]:
        from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

        if not self._statuses:
            return
        words = [ExperimentStatus.Name(each).removeprefix("EXPERIMENT_STATUS_").lower() for each in self._statuses]
        session = self._asked.session
        for page in pages(
            session, session.analysis.ListStatus, self._asked.listing(self._statuses), "reports",
            limit=self._asked.limit, token=self._asked.token, largest_page=_LARGEST_PAGE,
            again=" ".join(f"--status {word}" for word in words),
        ):  # fmt: skip
            self.next_page_token = page.next_page_token
            for each in page.reports:
                self.found += 1
                yield each


def _one(session: Session, key: str) -> None:
    from sortition.render import status_view
    from sortition.rpc.v1.analysis_pb2 import GetStatusRequest

    request = GetStatusRequest(key=key, organization=session.organization)
    report: ExperimentReport = session.call(session.analysis.GetStatus, request)
    session.show(report, lambda: status_view(report))


def _view(under_way: _List, over: _List, summary: Summary | None, volume: float) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from sortition.render import finished_table, status_table, summary_view

    tables = [
        (under_way, status_table(under_way), "under way"),
        (over, finished_table(over), "over"),
    ]
    parts: list[RenderableType] = []
    for found, table, title in tables:
        if found.found:
            parts += [Text(title, style="bold underline"), table, Text()]
    if summary is not None:
        parts += [Text("all together", style="bold underline"), summary_view(summary, monthly_volume=volume)]
    elif not parts:
        parts.append(Text("no experiment"))
    return Group(*parts)
