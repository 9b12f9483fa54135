"""Asks a source of advisories about every version that constraints.txt and Cargo.lock pin.

    python tools/audit.py                       ask https://api.osv.dev
    python tools/audit.py --source URL          ask a mirror of it (also: OSV_URL)
    python tools/audit.py --ignore ID           accept an advisory, such as GHSA-…; may be repeated

Ends with 0 when nothing is known against any of them, 1 when something is, and 2 when it could not look: an audit that
did not take place has not been passed. It needs the network, so it is not among the checks of every change.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
OSV = "https://api.osv.dev"
TIMEOUT_S = 30
# What one question may hold.
BATCH = 500
MAX_ANSWER_BYTES = 16 << 20
# Fewer would mean that a file was not read as it is written.
MIN_PER_FILE = 20

CLEAN, KNOWN, NOT_LOOKED = 0, 1, 2


class Pinned(NamedTuple):
    """A version that is pinned."""

    ecosystem: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.ecosystem})"


class NotLooked(Exception):
    """The audit did not take place."""


def python_packages(text: str) -> list[Pinned]:
    """Returns what a file of constraints pins, each version once."""
    lines = [line.partition(";")[0].strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = []
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s=]+)", line)
        if match is None:
            raise NotLooked(f"constraints.txt: cannot read {line!r}")
        found.append(Pinned("PyPI", match[1], match[2]))
    return list(dict.fromkeys(found))


def rust_packages(text: str) -> list[Pinned]:
    """Returns what a Cargo.lock takes from the registry; the crates of this project come from nowhere."""
    packages = tomllib.loads(text)["package"]
    return [Pinned("crates.io", each["name"], each["version"]) for each in packages if "source" in each]


def pinned(root: Path) -> list[Pinned]:
    """Returns everything that is pinned."""
    found = []
    for name, read in (("constraints.txt", python_packages), ("Cargo.lock", rust_packages)):
        packages = read((root / name).read_text())
        if len(packages) < MIN_PER_FILE:
            raise NotLooked(f"{name}: pins only {len(packages)} packages; at least {MIN_PER_FILE} were expected")
        found += packages
    return found


def ask(source: str, packages: Sequence[Pinned]) -> Iterator[tuple[Pinned, str]]:
    """Yields each package with the id of each advisory about it.

    Raises:
        NotLooked: The source could not be asked, or did not answer every question.
    """
    for start in range(0, len(packages), BATCH):
        asked = packages[start : start + BATCH]
        answers = _post(f"{source.rstrip('/')}/v1/querybatch", {"queries": [_query(each) for each in asked]})
        results = answers.get("results")
        if not isinstance(results, list) or len(results) != len(asked):
            raise NotLooked(f"{source} answered {len(results or ())} of {len(asked)} questions")
        for package, result in zip(asked, results, strict=True):
            # More on a next page changes nothing: what is on this one is enough to fail.
            for advisory in (result or {}).get("vulns") or ():
                yield package, str(advisory["id"])


def _query(package: Pinned) -> dict[str, Any]:
    return {"package": {"name": package.name, "ecosystem": package.ecosystem}, "version": package.version}


def _post(url: str, question: object) -> dict[str, Any]:
    request = urllib.request.Request(
        url, data=json.dumps(question).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            found = json.loads(answer.read(MAX_ANSWER_BYTES))
    except (OSError, ValueError) as error:
        raise NotLooked(f"{url} could not be asked: {error}") from error
    if not isinstance(found, dict):
        raise NotLooked(f"{url} answered with something else than an object")
    return found


def audit(source: str, ignored: Sequence[str], root: Path = ROOT) -> int:
    """Audits, says what it found, and returns how it ended."""
    try:
        packages = pinned(root)
        found = list(ask(source, packages))
    except (NotLooked, OSError, KeyError, TypeError, AttributeError, tomllib.TOMLDecodeError) as error:
        print(f"audit: NOT DONE: {error}", file=sys.stderr)
        return NOT_LOOKED
    unknown = sorted(set(ignored) - {advisory for _, advisory in found})
    if unknown:
        print(f"audit: nothing to ignore any more: {', '.join(unknown)}", file=sys.stderr)
    against = [(package, advisory) for package, advisory in found if advisory not in ignored]
    for package, advisory in against:
        print(f"audit: {package}: {advisory}", file=sys.stderr)
    if against:
        return KNOWN
    print(f"audit: nothing is known against {len(packages)} pinned packages ({len(found)} advisories ignored)")
    return CLEAN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=os.environ.get("OSV_URL", OSV), help="where advisories are asked for")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="an advisory that is accepted")
    arguments = parser.parse_args()
    sys.exit(audit(arguments.source, arguments.ignore))


if __name__ == "__main__":
    main()
