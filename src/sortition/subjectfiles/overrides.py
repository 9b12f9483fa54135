"""Lays values over a YAML or JSON text, and leaves every character outside of them as it is.

Comments, quoting, order, anchors and layout are somebody's work. So nothing is read and written anew: the values are
cut out of the text, and what comes out is read again and has to be exactly what was asked for.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sortition.errors import InvalidArgument, SpecError, Violation
from sortition.model.yaml_reader import read_yaml
from sortition.model.yaml_writer import yaml_quoted, yaml_scalar
from sortition.subjectfiles.spans import Path, Span, spans

__all__ = ["MAX_OVERRIDES", "is_structured", "override", "read_values"]

MAX_OVERRIDES: Final = 64
"""How many values a variant may override."""

_STRUCTURED: Final = (".yaml", ".yml", ".json")
_HEADER: Final = re.compile(r"[|>][0-9+-]*(?P<comment>[ \t]+#[^\r\n]*)?(?P<newline>\r\n|\r|\n)")
_INDENT: Final = re.compile(r"^( +)[^ \r\n]", re.MULTILINE)
_TAIL: Final = re.compile(r"(?:\r\n|\r|\n)[ \r\n]*\Z")
# What a block or a single-quoted scalar can hold as it is.
_PRINTABLE: Final = re.compile("[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


def is_structured(name: str) -> bool:
    """Returns whether a file of this name is read as YAML or JSON."""
    return name.lower().endswith(_STRUCTURED)


def read_values(text: str, name: str) -> dict[str, Any]:
    """Returns what a YAML or JSON text says: one mapping.

    Raises:
        SpecError: It is no such thing.
    """
    json_text = _is_json(name)
    root, found = read_yaml(_plain_blanks(text) if json_text else text, name, merge_keys=True)
    values = root.plain()
    if not isinstance(values, dict):
        found.append(Violation("", "must be a mapping", *root.at))
    if found:
        raise SpecError(f"{name} cannot be overridden by values", found)
    if json_text:
        try:
            values = json.loads(text.removeprefix("\ufeff"))
        except ValueError as error:
            raise SpecError(f"{name} is not JSON: {error}") from None
    assert isinstance(values, dict)
    return values


def override(text: str, name: str, changes: Mapping[str, Any], field: str = "set") -> str:
    """Returns `text` with other values in it.

    Args:
        text: One mapping in YAML or JSON.
        name: The name of its file, which says what it is.
        changes: The values by dotted path, such as ``model.temperature`` or ``steps.0.timeout``: scalars, and lists
            where a scalar or a list in brackets is. Every path is there already.
        field: The field that holds the changes, for errors.

    Raises:
        SpecError: The text is no such thing.
        InvalidArgument: Lists every change that cannot be made.
    """
    values = read_values(text, name)
    where = spans(_plain_blanks(text) if _is_json(name) else text)
    found: list[Violation] = []
    targets: dict[Path, Any] = {}
    if not 1 <= len(changes) <= MAX_OVERRIDES:
        found.append(Violation(field, f"has {len(changes)} values; it must have 1 to {MAX_OVERRIDES}"))
    for dotted, value in changes.items():
        path = _path(values, dotted)
        wrong = _refused(path, dotted, value, values, where)
        if wrong:
            found.append(Violation(f"{field}.{dotted}", wrong))
        elif path is not None:
            targets[path] = value
    inside = [path for path in targets if any(path[:length] in targets for length in range(len(path)))]
    found += (Violation(field, f"overrides {_dotted(path)} twice: it is in another of its values") for path in inside)
    if found:
        raise InvalidArgument.of(found)
    wanted = _laid_over(values, targets)
    # What was a block stays one where it can; where that would say something else, quotes can hold everything.
    for layout in (True, False):
        made = _written(text, name, where, targets, keep=layout)
        if _reads_as(made, name, wanted):
            return made
    raise InvalidArgument.of([Violation(field, _shared(text, name, where, targets, values))])


def _path(values: Any, dotted: str) -> Path | None:
    """Returns the path that `dotted` stands for; None where there is no such value."""
    path: Path = ()
    node = values
    for step in dotted.split("."):
        if isinstance(node, dict) and step in node:
            path, node = (*path, step), node[step]
        elif isinstance(node, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(node):
            path, node = (*path, int(step)), node[int(step)]
        else:
            return None
    return path


def _refused(path: Path | None, dotted: str, value: Any, values: Any, where: Mapping[Path, Span]) -> str:
    """Says why a value cannot be overridden; empty where it can."""
    if path is None:
        close = difflib.get_close_matches(dotted, list(_known(values)), n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        return f"is not in the file{hint}; what is overridden has to be there, as null if need be"
    span = where.get(path)
    alias = next((where[path[:length]] for length in range(len(path) + 1) if _is_alias(where, path[:length])), None)
    if span is None or alias is not None:
        line = f" in line {alias.line}" if alias is not None else ""
        return f"comes from elsewhere by an alias or a merge key{line}; override it where it is written"
    if span.style == "block":
        return "is a list or mapping on lines of its own; override the values in it one by one"
    if isinstance(value, dict):
        return "cannot become a mapping; override the values in it one by one"
    if isinstance(_value(values, path), dict):
        return "is a mapping; override the values in it one by one"
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return f"cannot become this: {error}"
    return ""


def _written(text: str, name: str, where: Mapping[Path, Span], targets: Mapping[Path, Any], *, keep: bool) -> str:
    made = text
    for path in sorted(targets, key=lambda path: where[path].begin, reverse=True):
        span, value = where[path], targets[path]
        new = json.dumps(value, ensure_ascii=False) if _is_json(name) else _form(text, span, value, keep=keep)
        made = made[: span.begin] + new + made[span.end :]
    return made


def _form(text: str, span: Span, value: Any, *, keep: bool) -> str:
    """Returns how `value` is written in YAML in place of what is there."""
    old = text[span.begin : span.end]
    if span.style in ("|", ">"):
        return _in_block(old, value, keep=keep)
    if isinstance(value, str):
        if span.style == "'" and keep and _PRINTABLE.fullmatch(value):
            new = "'" + value.replace("'", "''") + "'"
        else:
            new = yaml_quoted(value) if span.style == '"' or not keep else yaml_scalar(value)
    else:
        new = _other(value)
    # Where nothing was written, the colon or the dash is in front.
    return new if old or text[: span.begin].endswith((" ", "\t")) else f" {new}"


def _in_block(old: str, value: Any, *, keep: bool) -> str:
    """Returns what takes the place of a block scalar, with the comment and the blank lines that go with it."""
    header = _HEADER.match(old)
    if header is None:
        return _other(value)
    newline, comment = header["newline"], header["comment"] or ""
    tail = found.group() if (found := _TAIL.search(old)) is not None else ""
    indent = _INDENT.search(old, header.end())
    lines = value.split("\n") if isinstance(value, str) else []
    if keep and indent and tail and lines and not value.startswith((" ", "\n")) and value.strip():
        ends = len(lines) > 1 and lines[-1] == ""
        body = lines[:-1] if ends else lines
        if body[-1] and all(_PRINTABLE.fullmatch(line) for line in body):
            written = newline.join(f"{indent[1]}{line}" if line else "" for line in body)
            return f"|{'' if ends else '-'}{comment}{newline}{written}{tail}"
    return _other(value) + comment + tail


def _other(value: Any) -> str:
    # Not as JSON has it: what JSON escapes as two halves of a character, YAML reads as two characters.
    if isinstance(value, str):
        return yaml_quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(_other(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_quoted(key)}: {_other(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float) and "." not in (text := json.dumps(value)):
        # Readers of YAML 1.1 take 1e+22 for text.
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa}.0e{exponent}"
    return json.dumps(value)


def _laid_over(values: dict[str, Any], targets: Mapping[Path, Any]) -> dict[str, Any]:
    wanted = copy.deepcopy(values)
    for path, value in targets.items():
        node: Any = _value(wanted, path[:-1])
        node[path[-1]] = value
    return wanted


def _reads_as(text: str, name: str, wanted: Mapping[str, Any]) -> bool:
    try:
        # As text, so that 1, 1.0 and true are three things.
        return json.dumps(read_values(text, name), ensure_ascii=False) == json.dumps(wanted, ensure_ascii=False)
    except SpecError:
        return False


def _shared(
    text: str, name: str, where: Mapping[Path, Span], targets: Mapping[Path, Any], values: dict[str, Any]
) -> str:
    """Says which of the values cannot be written on its own."""
    for path, value in targets.items():
        alone = {path: value}
        if not _reads_as(_written(text, name, where, alone, keep=False), name, _laid_over(values, alone)):
            return (
                f"cannot override {_dotted(path)} (line {where[path].line}) on its own: it is used elsewhere by an"
                " anchor, or written in a way that cannot be taken apart; use a whole file as the variant"
            )
    return "cannot be laid over the file; use a whole file as the variant"


def _known(values: Any, prefix: str = "") -> Iterator[str]:
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield f"{prefix}{key}"
        if isinstance(value, (dict, list)):
            yield from _known(value, f"{prefix}{key}.")


def _is_alias(where: Mapping[Path, Span], path: Path) -> bool:
    span = where.get(path)
    return span is not None and span.style == "alias"


def _value(values: Any, path: Path) -> Any:
    for step in path:
        values = values[step]
    return values


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _is_json(name: str) -> bool:
    return name.lower().endswith(".json")


def _plain_blanks(text: str) -> str:
    # In JSON a tab is a blank like any other, and inside of strings it cannot be; as a blank, YAML reads it too.
    return text.replace("\t", " ")
