"""Plants bugs, one at a time, and demands that the harness finds each of them, for the right reason.

::

    PYTHONPATH=src:tests python -m faults.mutants [NAME …]

Bugs of the Python side are planted into the running sidecar (`planted`); those of the native module are patches,
applied to a copy of the sources and built there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.catalogue import FAULTS
from faults.planted import BUGS
from faults.run import Result, run
from postgres import PostgresServer

__all__ = ["MUTANTS", "Mutant", "found_by"]

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).with_name("mutants")
_BUILD_S = 900


@dataclass(frozen=True)
class Mutant:
    """A planted bug, and what has to find it.

    Attributes:
        fault: The fault under which it shows.
        sign: What the harness has to say then: "lost", "doubled", or words of its complaint.
        cycles: How many cycles that may take.
        database: Where.
    """

    fault: str
    sign: str
    cycles: int = 20
    database: str = "sqlite"


MUTANTS = {
    "mark-not-checked": Mutant("commit", "doubled", database="postgresql"),
    "mark-moved-before": Mutant("flush", "lost", 60),
    "mark-moved-behind": Mutant("flush", "doubled", 60, database="postgresql"),
    "unknown-taken-for-done": Mutant("frozen", "lost", 4),
    "cut-before-commit": Mutant("frozen", "lost", 4),
    "exposures-dropped": Mutant("kill", "lost", 2),
    "cells-replaced": Mutant("kill", "lost", 2),
    "no-last-flush": Mutant("sigterm", "lost", 4),
    # Another lock still refuses it, that of the log; but what it says is not what was asked for.
    "not-locked": Mutant("twice", "in use by another process", 1),
    "acknowledged-before": Mutant("kill", "lost", 10),
    "dedup-skipped": Mutant("restart", "applied again", 2),
    "dedup-window-forgotten": Mutant("restart", "doubled|applied again", 4),
    "keys-forgotten": Mutant("restart", "doubled|applied again", 4),
    "crc-skipped": Mutant("bit-flip", "lost|doubled|sums", 60),
    "applied-before-append": Mutant("no-space", "doubled", 10),
    "acknowledged-before-write": Mutant("kill", "lost", 20),
    "torn-neighbour": Mutant("torn-tail", "lost", 30),
    "open-segment-cut": Mutant("kill", "lost|missing|did not start", 30),
    "exposures-not-replayed": Mutant("kill", "lost", 20),
    "short-write-kept": Mutant("no-space", "lost|doubled|no record", 20),
}


def found_by(mutant: Mutant, program: Sequence[str], *, seed: int = 1) -> tuple[bool, Result]:
    """Runs the fault under which a bug shows; returns whether it was found for the right reason."""
    server = PostgresServer() if mutant.database == "postgresql" else None
    try:
        result = run(FAULTS[mutant.fault], mutant.cycles, server=server, seed=seed, program=program, together=2)
    finally:
        if server is not None:
            server.close()
    said = " ".join([*(["lost"] if result.lost else []), *(["doubled"] if result.doubled else []), *result.wrong])
    return not result.right and re.search(mutant.sign, said) is not None, result


@contextmanager
def native(name: str) -> Iterator[list[str]]:
    """Builds the native module with a patch; gives the program that uses it."""
    with tempfile.TemporaryDirectory(prefix="sortition-mutant-") as scratch:
        copy = Path(scratch)
        for part in ("rust", "src", "proto"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.so", "__pycache__", "target"))
        for part in ("Cargo.toml", "Cargo.lock"):
            shutil.copy(ROOT / part, copy / part)
        patch = (PATCHES / f"{name}.patch").read_bytes()
        _run(["patch", "--batch", "--forward", "--fuzz=2", "-p1"], copy, given=patch)
        # One directory for all, so that only what a patch changes is compiled.
        target = Path(os.environ.get("MUTANTS_TARGET", str(ROOT / "target" / "mutants")))
        _run(
            ["cargo", "build", "--release", "--locked", "--quiet", "-p", "sortition-python"],
            copy,
            CARGO_TARGET_DIR=str(target),
            PYO3_BUILD_EXTENSION_MODULE="1",
            PYO3_PYTHON=sys.executable,
            CARGO_PROFILE_RELEASE_LTO="off",
        )
        shutil.copy(target / "release" / "lib_core.so", copy / "src" / "sortition" / "_core.abi3.so")
        main = copy / "mutated.py"
        # Before the path of the environment, which has the unchanged one.
        main.write_text(
            f"import sys\nsys.path.insert(0, {str(copy / 'src')!r})\nfrom sortition.cli import main\nmain()\n"
        )
        yield [str(main)]


def _run(command: list[str], where: Path, *, given: bytes = b"", **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=where,
        input=given,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_BUILD_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout.decode(errors='replace')[-3000:]}"


@contextmanager
def program(name: str) -> Iterator[list[str]]:
    """Gives the program with a bug."""
    if name in BUGS:
        yield [str(Path(__file__).with_name("planted.py")), name]
    else:
        with native(name) as made:
            yield made


def main(arguments: Sequence[str] | None = None) -> int:
    """Plants the bugs; returns 0 when all of them were found for the right reason."""
    chosen = list(sys.argv[1:] if arguments is None else arguments) or list(MUTANTS)
    missed = []
    for name in chosen:
        mutant = MUTANTS[name]
        with program(name) as planted:
            found, result = found_by(mutant, planted)
        if not found:
            missed.append(name)
        verdict = "found" if found else "MISSED"
        print(
            f"{name}: {verdict} by {mutant.fault} on {mutant.database} in cycle {result.cycles} "
            f"({result.lost} lost, {result.doubled} doubled, {result.seconds:.0f} s): {'; '.join(result.wrong)[:160]}",
            flush=True,
        )
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted bugs were found" + ("; missed: " if missed else ""))
    print("\n".join(missed), end="")
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
