"""What a search has to find, computed another way: by parsing the files instead of matching their text."""

from __future__ import annotations

import ast
import itertools
import json
import sysconfig
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sortition.demo.search import Hit

__all__ = ["Exam", "compile_exam"]

# The corpus is bounded by bytes, so that a session is a matter of tenths of a second whatever Python comes with.
_CORPUS_BYTES = 500_000
_MIN_FILE_BYTES, _MAX_FILE_BYTES = 5_000, 60_000
# Names that are defined all over, such as __init__, would measure the counting of hits.
_MAX_PLACES = 5
_QUERIES = 3
_NAMES_PER_QUERY = 6


@dataclass(frozen=True)
class Exam:
    """The files to search, the names to look for, and where they are defined.

    Attributes:
        files: Files of Python's standard library.
        places: Every place of every name.
    """

    files: Sequence[Path]
    places: dict[str, frozenset[Hit]]

    def queries(self, session: int) -> list[list[str]]:
        """Returns the queries of a session: the next names in the alphabet, and again from its start."""
        names = sorted(self.places)
        per_session = _QUERIES * _NAMES_PER_QUERY
        chosen = itertools.islice(itertools.cycle(names), session * per_session % len(names), None)
        return [list(itertools.islice(chosen, _NAMES_PER_QUERY)) for _ in range(_QUERIES)]

    def passed(self, names: Sequence[str], found: set[Hit]) -> bool:
        """Says whether every place of every name was found."""
        return all(self.places[name] <= found for name in names)

    def save(self, path: Path) -> None:
        """Writes it into a file, for the agents to read."""
        places = {name: sorted(hits) for name, hits in self.places.items()}
        path.write_text(json.dumps({"files": [str(file) for file in self.files], "places": places}))

    @classmethod
    def load(cls, path: Path) -> Exam:
        """Reads what `save` has written."""
        saved = json.loads(path.read_text())
        places = {name: frozenset(Hit(*hit) for hit in hits) for name, hits in saved["places"].items()}
        return cls([Path(file) for file in saved["files"]], places)


def compile_exam() -> Exam:
    """Chooses the files, and parses them to know what is defined where."""
    found: defaultdict[str, set[Hit]] = defaultdict(set)
    files = []
    room = _CORPUS_BYTES
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        size = file.stat().st_size
        if not _MIN_FILE_BYTES <= size <= _MAX_FILE_BYTES or size > room:
            continue
        files.append(file)
        room -= size
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found[node.name].add(Hit(node.name, file.name, node.lineno))
    return Exam(files, {name: frozenset(hits) for name, hits in found.items() if len(hits) <= _MAX_PLACES})
