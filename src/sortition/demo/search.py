"""Finds where Python names are defined: the work of the demo's agent, by three strategies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Answer", "Hit", "search"]


class Hit(NamedTuple):
    """A place where a name is defined."""

    name: str
    file: str
    line: int


@dataclass
class Answer:
    """What a search found.

    Attributes:
        hits: The places.
        bytes_read: How much was read to find them.
    """

    hits: set[Hit] = field(default_factory=set)
    bytes_read: int = 0

    def add(self, other: Answer) -> None:
        """Adds what another part of the search found."""
        self.hits |= other.hits
        self.bytes_read += other.bytes_read


def search(files: Sequence[Path], names: Sequence[str], *, strategy: str = "sequential", workers: int = 1) -> Answer:
    """Finds the definitions of `names` in `files`.

    Args:
        files: Where to look.
        names: Identifiers of functions and classes.
        strategy: "sequential": one pass over the files per name. "combined": one pass for all names. "pooled": the
            same, with the files shared out among threads.
        workers: How many threads a pooled search uses.

    Raises:
        ValueError: There is no such strategy.
    """
    answer = Answer()
    if strategy == "sequential":
        for name in names:
            for file in files:
                answer.add(_search_file(file, _pattern((name,))))
    elif strategy == "combined":
        for file in files:
            answer.add(_search_file(file, _pattern(tuple(names))))
    elif strategy == "pooled":
        shares = [files[start::workers] for start in range(workers)]
        for part in _pool(workers).map(lambda share: search(share, names, strategy="combined"), shares):
            answer.add(part)
    else:
        raise ValueError(f"strategy must be sequential, combined or pooled, but is {strategy!r}")
    return answer


def _search_file(file: Path, pattern: re.Pattern[str]) -> Answer:
    content = file.read_bytes()
    text = content.decode("utf-8", "replace")
    return Answer(set(_hits(file.name, text, pattern)), len(content))


def _hits(file: str, text: str, pattern: re.Pattern[str]) -> Iterable[Hit]:
    for match in pattern.finditer(text):
        yield Hit(match["name"], file, text.count("\n", 0, match.start()) + 1)


@lru_cache(maxsize=64)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """Returns a pattern for the line that defines any of `names`."""
    any_name = "|".join(map(re.escape, names))
    return re.compile(rf"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(?P<name>{any_name})\b", re.MULTILINE)


# Threads, although Python searches in one at a time: an agent that holds a gRPC connection should not fork, and
# starting interpreters would cost it more than they save. The experiment shows whether overlapping the reads pays.
@lru_cache(maxsize=1)
def _pool(workers: int) -> ThreadPoolExecutor:
    """Returns this process's only pool."""
    return ThreadPoolExecutor(workers, thread_name_prefix="search")
