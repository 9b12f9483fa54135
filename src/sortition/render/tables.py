"""The look that all tables share: no lines, one space of air, nothing lost when the terminal is narrow."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

__all__ = ["Fitting", "quiet_table"]

# Wider than any terminal.
_ANY_WIDTH = 10_000


class Fitting:
    """The first of several forms of the same content that the terminal is wide enough for; the last if it is for none.

    Args:
        forms: The forms, the widest first.
    """

    def __init__(self, *forms: RenderableType) -> None:
        self._forms = forms

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the form."""
        free = options.update_width(_ANY_WIDTH)
        fitting = (form for form in self._forms if Measurement.get(console, free, form).maximum <= options.max_width)
        yield next(fitting, self._forms[-1])


def quiet_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Returns an empty table.

    Args:
        columns: The headers. A repeated or empty header is fine.
        right: Headers of columns of numbers, set to the right.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table
