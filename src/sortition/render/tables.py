"""The look that all tables share: no lines, one space of air, nothing lost when the terminal is narrow."""

from __future__ import annotations

from rich.table import Table

__all__ = ["quiet_table"]


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
