"""Shows how texts differ: two of them, or two that come from a third."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["three_way", "unified"]

_NO_NEWLINE: Final = "\\ No newline at end of file\n"


def unified(before: str, after: str, path: str) -> str:
    """Returns the unified diff of a file; empty where nothing differs."""
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)


class _Change(NamedTuple):
    """Lines of the base and what a side has in their place; both are half-open."""

    begin: int
    end: int
    side_begin: int
    side_end: int


def three_way(base: str, theirs: str, ours: str, path: str) -> str:
    """Returns every place where `theirs` or `ours` differs from `base`, with all three texts of it."""
    lines: list[Sequence[str]] = [_lines(text) for text in (base, theirs, ours)]
    changes = [_changes(lines[0], side) for side in lines[1:]]
    shown = [f"--- base    {path}\n", f"+++ theirs  {path} as it is now\n", f"+++ ours    {path} as it would be\n"]
    for begin, end in _regions([*changes[0], *changes[1]]):
        shown.append(f"@@ base {_range(begin, end)} @@\n")
        parts = [lines[0][begin:end]]
        parts += [_inside(side, own, begin, end) for side, own in zip(lines[1:], changes, strict=True)]
        for name, part in zip(("base", "theirs", "ours"), parts, strict=True):
            same = "" if name == "base" or part != parts[0] else "  (as in base)"
            shown.append(f"  {name}:{same}\n" if part or same else f"  {name}:  (nothing)\n")
            if not same:
                shown += (f"    {line}" if line.endswith("\n") else f"    {line}\n    {_NO_NEWLINE}" for line in part)
    return "".join(shown)


def _lines(text: str) -> list[str]:
    # Only this one ends a line in a file; `splitlines` knows others, which would be lost in what is shown.
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


def _changes(base: Sequence[str], side: Sequence[str]) -> list[_Change]:
    matcher = difflib.SequenceMatcher(None, base, side, autojunk=False)
    return [_Change(*span) for tag, *span in matcher.get_opcodes() if tag != "equal"]


def _regions(changes: Sequence[_Change]) -> Iterator[tuple[int, int]]:
    """Yields the parts of the base that are changed, those that touch each other as one."""
    begin = end = -1
    for change in sorted(changes):
        if begin >= 0 and change.begin <= end:
            end = max(end, change.end)
            continue
        if begin >= 0:
            yield begin, end
        begin, end = change.begin, change.end
    if begin >= 0:
        yield begin, end


def _inside(side: Sequence[str], changes: Sequence[_Change], begin: int, end: int) -> Sequence[str]:
    """Returns what a side has in the place of a region. Each of its changes is in the region, or away from it."""
    return side[begin + _shift(changes, begin - 1) : end + _shift(changes, end)]


def _shift(changes: Sequence[_Change], line: int) -> int:
    """Returns how many lines a side has gained with the changes that end no later than `line` of the base."""
    return next((change.side_end - change.end for change in reversed(changes) if change.end <= line), 0)


def _range(begin: int, end: int) -> str:
    if begin == end:
        return f"behind line {begin}"
    return f"line {begin + 1}" if end == begin + 1 else f"lines {begin + 1} to {end}"
