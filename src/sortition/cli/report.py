"""``report``: everything about one experiment, for a browser, a page of Markdown, a program or a terminal."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.command import command
from sortition.cli.experiments import Key
from sortition.cli.session import Session
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from sortition.rpc.v1.analysis_pb2 import FullReport

__all__ = ["Format", "register"]

# A text file has no width; tables are written as wide as they are.
_FILE_WIDTH = 240
_STDOUT = Path("-")


class Format(str, Enum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    TEXT = "text"


_SUFFIXES = {
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".json": Format.JSON,
    ".txt": Format.TEXT,
}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "report", formats=False)(report)


def report(
    session: Session,
    key: Key,
    wanted: Annotated[
        Format | None,
        typer.Option("--format", help="How to write it; default: as the file's name ends, else text."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it; default: stdout, which is also -."),
    ] = None,
) -> None:
    """Write a report: what to do, intervals, time, distributions, split, power and data quality.

    The HTML page has plots, and is one file that needs no network and no script.
    """
    from sortition.rpc.v1.analysis_pb2 import GetFullReportRequest

    target = None if file in (None, _STDOUT) else file
    if target is not None:
        _writable(target)
    format_ = wanted or _format_of(target)
    request = GetFullReportRequest(key=key, organization=session.organization)
    found: FullReport = session.call(session.analysis.GetFullReport, request)
    if target is None and format_ is Format.TEXT:
        from sortition.cli.output import print_table
        from sortition.report import compose, plain_view

        print_table(plain_view(compose(found)))
        return
    text = _written(found, format_)
    if target is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(target, text)


def _format_of(target: Path | None) -> Format:
    if target is None:
        return Format.TEXT
    found = _SUFFIXES.get(target.suffix.lower())
    if found is None:
        known = ", ".join(_SUFFIXES)
        raise InvalidArgument.of([("--output", f"ends in none of {known}, but is {target}; give --format")])
    return found


def _writable(target: Path) -> None:
    """Refuses a target that cannot be written, before anybody is asked for anything."""
    if os.path.isdir(target):
        raise InvalidArgument.of([("--output", f"is a directory: {target}; name a file in it")])
    if not os.path.isdir(target.parent):
        raise InvalidArgument.of(
            [("--output", f"is in a directory that does not exist: {target.parent}; make it first")]
        )


def _written(found: FullReport, format_: Format) -> str:
    import json

    from sortition.cli.output import to_document
    from sortition.report import compose, html_page, markdown_text, plain_view

    if format_ is Format.JSON:
        return json.dumps(to_document(found), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    document = compose(found)
    if format_ is Format.HTML:
        return html_page(document)
    if format_ is Format.MARKDOWN:
        return markdown_text(document)
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=_FILE_WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    console.print(plain_view(document))
    return page.getvalue()


def _write(target: Path, text: str) -> None:
    """Writes a file; one that is there is replaced as a whole, so that nobody ever reads half of a report."""
    scratch = None
    try:
        if target.exists() and not target.is_file():
            # A pipe or a device, such as /dev/stdout, is written to and stays what it is.
            target.write_text(text, encoding="utf-8")
            return
        # A link goes on leading to the file.
        place = Path(os.path.realpath(target))
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".report.")
        scratch = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # The mode that a new file has here; that of a temporary one lets nobody else read.
        mask = os.umask(0)
        os.umask(mask)
        scratch.chmod(0o666 & ~mask)
        scratch.replace(place)
    except OSError as error:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
        raise InvalidArgument.of([("--output", f"cannot be written: {target}: {error.strerror or error}")]) from None
