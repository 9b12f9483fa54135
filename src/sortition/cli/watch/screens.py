"""Where looks are shown: in a terminal, in lines, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sortition.cli.group import say
from sortition.cli.session import Output, Session
from sortition.cli.watch.looker import Reports, has_ended

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Screen", "screen_for"]


class Screen(Protocol):
    """Shows looks, and notices."""

    def __enter__(self) -> Screen: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, reports: Reports, notice: str) -> None:
        """Shows what was seen last, or a notice beside it."""


def screen_for(session: Session) -> Screen:
    """Returns where a session's looks are shown."""
    from sortition.cli.output import console

    screen = console()
    if session.output is Output.JSON:
        return _Documents()
    # What cannot be drawn over gets a line below the ones before.
    if screen.is_terminal and not screen.is_dumb_terminal:
        return _Drawn(screen)
    return _Lines(screen)


class _Documents:
    """One line of JSON for each experiment at each look."""

    def __enter__(self) -> _Documents:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, reports: Reports, notice: str) -> None:
        """Writes them; a notice goes to stderr."""
        from sortition.cli.output import print_document, to_document

        if notice:
            say(notice)
            return
        for report in reports.values():
            print_document(to_document(report), indent=None)


class _Lines:
    """A line for each experiment whenever something about it has changed."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._said: dict[tuple[str, str], str] = {}

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, reports: Reports, notice: str) -> None:
        """Writes what has changed; a notice goes to stderr."""
        from sortition.render import change_line

        if notice:
            say(notice)
            return
        if not reports:
            self._screen.print("no experiment runs or is paused", soft_wrap=True)
        for name, report in reports.items():
            line = change_line(report)
            if self._said.get(name) != line:
                self._said[name] = line
                self._screen.print(line, soft_wrap=True)
        self._screen.file.flush()


class _Drawn:
    """Draws over what was drawn before."""

    def __init__(self, screen: Console) -> None:
        from rich.live import Live

        self._screen = screen
        self._live = Live(console=screen, auto_refresh=False)

    def __enter__(self) -> _Drawn:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, reports: Reports, notice: str) -> None:
        """Draws the experiments, and a notice below."""
        from rich.console import Group
        from rich.text import Text

        below = [Text(f"! {notice}", style="yellow")] if notice else []
        whole: RenderableType = Group(self._view(reports, brief=False), *below)
        # What does not fit is cut off at the bottom, and that is where it says what to do.
        if len(self._screen.render_lines(whole, pad=False)) >= self._screen.height:
            whole = Group(self._view(reports, brief=True), *below)
        self._live.update(whole, refresh=True)

    def _view(self, reports: Reports, *, brief: bool) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from sortition.render import change_line, finished_table, status_table, status_view

        if len(reports) == 1:
            return status_view(next(iter(reports.values())), brief=brief)
        if not reports:
            return Text("no experiment runs or is paused")
        if brief:
            return Group(*(Text(change_line(each), overflow="ellipsis", no_wrap=True) for each in reports.values()))
        running = [each for each in reports.values() if not has_ended(each)]
        over = [each for each in reports.values() if has_ended(each)]
        tables: list[RenderableType] = [status_table(running)] if running else []
        return Group(*tables, *([Text(), finished_table(over)] if over else []))
