"""Makes an ordinary experiment of a file that names files.

::

    subject: {kind: file, id: agent}
    file: agent.yaml
    variants:
      as-it-is: {weight: 50, control: true}
      cooler:   {weight: 50, set: {model.temperature: 0.2}}

The control is the file as it is; every treatment is another file (`file: prompts/warm.md`), or values laid over this
one (`set`). What comes out has configurations like any other, so nothing behind this knows of files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sortition.errors import InvalidArgument, NotFound, SpecError, Violation
from sortition.model import ExperimentSpec
from sortition.model.canonical import JsonObject, normalize
from sortition.model.file import read_experiment
from sortition.model.yaml_reader import Node, Step, read_yaml_file
from sortition.subjectfiles.held import base_config, changed_values, treatment_config
from sortition.subjectfiles.overrides import is_structured, override, read_values
from sortition.subjectfiles.place import place, read_text

__all__ = ["Declared", "declared_experiment"]

_FILE: Final = "file"
_SET: Final = "set"
_MAX_DESCRIPTION: Final = 500


@dataclass(frozen=True)
class Declared:
    """An experiment as its file declares it.

    Attributes:
        spec: The experiment.
        base: The configuration that its subject has to have: the file as it is; None where it is about no file.
    """

    spec: ExperimentSpec
    base: JsonObject | None = None


def declared_experiment(path: Path, root: Path) -> Declared:
    """Reads an experiment file, and the files that it names.

    Args:
        path: The experiment file.
        root: The directory that the files it names are below.

    Raises:
        SpecError: Lists everything that is wrong with it or with the files, with line and column.
    """
    document, found = read_yaml_file(path)
    raw = document.plain()
    if not isinstance(raw, dict) or not _names_files(raw):
        return Declared(read_experiment(document, found, str(path)))
    base = _Reader(document, root, found).expand(raw)
    return Declared(read_experiment(document, found, str(path), raw), base)


def _names_files(raw: dict[str, Any]) -> bool:
    return _FILE in raw or any(_FILE in part or _SET in part for part in _parts(raw).values())


def _parts(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    variants = raw.get("variants")
    parts = variants.items() if isinstance(variants, dict) else ()
    return {name: part for name, part in parts if isinstance(part, dict)}


class _Reader:
    """Takes the names of files out of a document, and puts configurations in."""

    def __init__(self, document: Node, root: Path, found: list[Violation]) -> None:
        self._document = document
        self._root = root
        self._found = found
        self._path = ""
        self._text: str | None = None
        self._values: JsonObject | None = None

    def expand(self, raw: dict[str, Any]) -> JsonObject | None:
        """Changes `raw` into what an experiment about no file would say; returns the subject's configuration."""
        parts = _parts(raw)
        # Whole files may lack what the base has, which values laid over it cannot say; then nobody gets values.
        by_values = not any(_FILE in part for part in parts.values())
        path = raw.pop(_FILE, None)
        self._text = self._content(path, (_FILE,))
        self._path = path if isinstance(path, str) else ""
        subject = raw.get("subject")
        if isinstance(subject, dict) and subject.get("kind") != _FILE:
            kind = f"{subject.get('kind')!r:.80}"
            self._refuse(("subject", "kind"), f"must be file where the subject is in a file, but is {kind}")
        if self._text is not None and is_structured(self._path) and any(_SET in part for part in parts.values()):
            self._values = self._read(self._text)
        for name, part in parts.items():
            self._variant(name, part, by_values=by_values)
        if self._text is None:
            return None
        return base_config(self._path, self._text, self._values if by_values else None)

    def _variant(self, name: str, part: dict[str, Any], *, by_values: bool) -> None:
        own, changes = part.pop(_FILE, None), part.pop(_SET, None)
        at = ("variants", name)
        if part.pop("config", None) is not None:
            self._refuse((*at, "config"), "is made of the file; say file or set instead")
        if part.get("control") is True:
            for field, given in ((_FILE, own), (_SET, changes)):
                if given is not None:
                    self._refuse((*at, field), "is not for the control, which is the file as it is; leave it out")
        elif (own is None) == (changes is None):
            self._refuse(at, "must have either file or set, which says what is in the place of the file")
        elif own is not None:
            made = self._content(own, (*at, _FILE))
            if made is not None and self._text is not None:
                part["config"] = treatment_config(made, self._text, None)
                part.setdefault("description", f"{own} in the place of {self._path}")
        elif (made := self._overridden(changes, (*at, _SET))) is not None:
            assert self._text is not None
            assert self._values is not None
            after = self._read(made) if by_values else None
            values = None if after is None else changed_values(self._values, after)
            part["config"] = treatment_config(made, self._text, values)
            said = ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in changes.items())
            part.setdefault("description", f"{self._path} with {said}"[:_MAX_DESCRIPTION])

    def _content(self, path: Any, at: tuple[Step, ...]) -> str | None:
        """Returns what a file holds; None where that is refused."""
        if not isinstance(path, str) or not path:
            what = "is required: the path of the file" if path is None else f"must be a path, but is {path!r:.80}"
            self._refuse(at, what)
            return None
        try:
            content, _ = place(self._root, path).read()
            return read_text(content, path)
        except (InvalidArgument, NotFound) as error:
            self._refuse(at, error.message)
            return None

    def _read(self, text: str) -> JsonObject | None:
        try:
            values = normalize(read_values(text, self._path))
        except SpecError as error:
            self._refuse((_FILE,), _reasons(error))
            return None
        except ValueError as error:
            self._refuse((_FILE,), f"{self._path}: {error}")
            return None
        assert isinstance(values, dict)
        return values

    def _overridden(self, changes: Any, at: tuple[Step, ...]) -> str | None:
        """Returns the file with other values in it; None where that is refused, or the file is."""
        if not isinstance(changes, dict):
            self._refuse(at, "must be a mapping from dotted path to value, such as {model.temperature: 0.2}")
            return None
        if self._text is not None and not is_structured(self._path):
            self._refuse(at, f"is for files in YAML or JSON, and {self._path} is none; use file")
        if self._text is None or self._values is None:
            return None
        try:
            return override(self._text, self._path, changes)
        except InvalidArgument as error:
            for violation in error.violations:
                key = violation.field[len(_SET) + 1 :]
                self._refuse((*at, key) if key else at, violation.description)
            return None

    def _refuse(self, at: tuple[Step, ...], what: str) -> None:
        field = ".".join(str(step) for step in at)
        self._found.append(Violation(field, what, *self._document.locate(at)))


def _reasons(error: SpecError) -> str:
    return "; ".join([error.message, *(str(violation) for violation in error.violations)])
