"""Runs every fault many times on both databases, and prints what was lost and what was doubled.

::

    PYTHONPATH=src:tests python -m faults.campaign [--cycles 0.1] [--only kill,append] [--database sqlite] [--seed 7]
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Sequence

from faults.catalogue import FAULTS, Fault
from faults.run import Result, run
from postgres import PostgresServer

_HEAD = ("fault", "database", "cycles", "struck", "calls", "sent again", "observations", "lost", "doubled", "time")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the campaign; returns 0 when nothing was lost and nothing doubled."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=float, default=1.0, help="the share of the full campaign")
    parser.add_argument("--only", default="", help="the faults, by name and between commas: " + ", ".join(FAULTS))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="one of the two instead of both")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of everything that is left to chance")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",") if options.only else list(FAULTS)
    unknown = set(chosen) - FAULTS.keys()
    if unknown:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    databases = (options.database,) if options.database else ("sqlite", "postgresql")
    said = " ".join(shlex.quote(each) for each in (arguments if arguments is not None else sys.argv[1:]))
    print(f"python -m faults.campaign {said} (seed {options.seed})", flush=True)
    results = list(_run_all([FAULTS[name] for name in chosen], databases, options.cycles, options.seed))
    print(table(results))
    return 0 if results and all(result.right for result in results) else 1


def _run_all(faults: Sequence[Fault], databases: Sequence[str], share: float, seed: int) -> Iterator[Result]:
    for database in databases:
        asked = [fault for fault in faults if database in fault.databases]
        if not asked:
            continue
        server = PostgresServer() if database == "postgresql" else None
        try:
            for fault in asked:
                if not fault.available:
                    print(f"{fault.name} on {database}: left out, it needs root", flush=True)
                    continue
                result = run(fault, max(1, round(fault.full * share)), server=server, seed=seed, tick=_progress)
                print(f"\r{_line(result)}", flush=True)
                for wrong in result.wrong[:5]:
                    print(f"    {wrong}", flush=True)
                yield result
        finally:
            if server is not None:
                server.close()


def _line(result: Result) -> str:
    state = "ok" if result.right else "WRONG"
    return (
        f"{result.fault} on {result.database}: {result.cycles} cycles, struck {result.hits}, {result.calls:,} calls, "
        f"{result.lost} lost, {result.doubled} doubled, {result.seconds:.0f} s: {state}"
    )


def _progress(result: Result) -> None:
    said = f"{result.fault} on {result.database}: {result.cycles} cycles"
    if sys.stdout.isatty():
        print(f"\r{said}", end="", flush=True)
    elif result.cycles % 50 == 0:
        print(f"{said}, {result.lost} lost, {result.doubled} doubled, {result.seconds:.0f} s", flush=True)


def table(results: Sequence[Result]) -> str:
    """Returns the results as a table in Markdown."""
    rows = [_HEAD, tuple("-" * len(name) for name in _HEAD)]
    rows += [
        (
            result.text,
            result.database,
            f"{result.cycles:,}",
            f"{result.hits:,}",
            f"{result.calls:,}",
            f"{result.again:,}",
            f"{result.compared:,}",
            f"{result.lost:,}",
            f"{result.doubled:,}",
            f"{result.seconds:.0f} s",
        )
        for result in results
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
