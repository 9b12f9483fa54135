"""Simulates experiments by the thousand, through the real cells, and counts how often the methods are wrong.

::

    PYTHONPATH=src:tests python -m statistical.campaign [--runs 20000] [--only error-mean,returning] [--processes 2]

It goes on where it was stopped: results are kept after every thousand experiments. Without anything left to run it
only writes the tables of docs/statistics.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from statistical.answers import DECIDES
from statistical.document import write
from statistical.results import RESULTS, Result
from statistical.scenarios import SCENARIOS, Scenario
from statistical.simulate import PART, simulate
from statistical.tally import Tally
from statistical.verdict import CAMPAIGN, kept, seen

__all__ = ["main", "run"]

Job = tuple[Scenario, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the campaign; returns 0 when every promise is kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=CAMPAIGN, help=f"experiments of each scenario, in steps of {PART}")
    parser.add_argument("--only", default="", help="parts of scenarios' names, between commas; one of them has to fit")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of results")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--fresh", action="store_true", help="forget the results: a method was changed")
    options = parser.parse_args(arguments)
    chosen = [one for one in SCENARIOS if any(part in one.key for part in options.only.split(","))]
    if not chosen:
        parser.error(f"no scenario is called {options.only}")
    if options.list:
        print("\n".join(scenario.key for scenario in chosen))
        return 0
    options.results.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for scenario in chosen:
            Result(scenario).remove(options.results)
    results = run(chosen, -(-options.runs // PART), options.results, options.processes)
    broken = [(result, text) for result in results if (text := kept(result.scenario, result.tally))]
    for result, text in broken:
        print(f"{result.scenario.key}: {text}")
    if options.results == RESULTS:
        write(options.results)
    print(f"{len(results)} scenarios, {len(broken)} promises broken")
    return 1 if broken else 0


def run(scenarios: Sequence[Scenario], parts: int, folder: Path, processes: int) -> list[Result]:
    """Runs what is missing of every scenario, and keeps it."""
    results = {scenario: Result.load(scenario, folder) for scenario in scenarios}
    jobs = iter([(one, part) for one in scenarios for part in range(parts) if part not in results[one].parts])
    began = time.monotonic()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        under_way: dict[Future[Tally], Job] = {}
        # No more than a few ahead, so that an interrupt stops soon.
        _submit(pool, jobs, under_way, processes + 1)
        while under_way:
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                scenario, part = under_way.pop(future)
                result = results[scenario]
                result.add(part, future.result())
                result.save(folder)
                if len(result.parts) >= parts:
                    print(f"{_line(result)} after {time.monotonic() - began:.0f} s", flush=True)
            _submit(pool, jobs, under_way, len(done))
    return list(results.values())


def _submit(pool: ProcessPoolExecutor, jobs: Iterator[Job], under_way: dict[Future[Tally], Job], number: int) -> None:
    for _ in range(number):
        job = next(jobs, None)
        if job is None:
            return
        under_way[pool.submit(simulate, *job)] = job


def _line(result: Result) -> str:
    tally = result.tally
    count = seen(result.scenario, tally.methods[DECIDES])
    wrong = kept(result.scenario, tally)
    return f"{result.scenario.key}: {count / tally.runs:.4f} of {tally.runs:,}{': ' + wrong if wrong else ''}"


if __name__ == "__main__":
    sys.exit(main())
