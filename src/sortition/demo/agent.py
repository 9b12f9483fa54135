"""An agent that searches code, and tries out how to search best.

Started by the demo, several times::

    python -m sortition.demo.agent --name agent-1 --exam exam.json --sessions 200

It ends after its sessions, or when whoever holds the other end of its standard input lets go.
"""

from __future__ import annotations

import argparse
import select
import sys
import time
from pathlib import Path

import sortition
from sortition.demo.search import search
from sortition.demo.truth import Exam


def run_session(client: sortition.Client, session_id: str, exam: Exam, queries: list[list[str]]) -> None:
    """Answers the queries of one session by the strategy that the sidecar gives it, and records how it went."""
    found_all, bytes_read = True, 0
    with client.assign("search-agent", unit=session_id, duration="total_time") as trial:
        for names in queries:
            started = time.perf_counter()
            answer = search(exam.files, names, **trial.config)
            trial.observe("query_latency", (time.perf_counter() - started) * 1000)
            found_all = found_all and exam.passed(names, answer.hits)
            bytes_read += answer.bytes_read
        trial.record(found_all=found_all, bytes_read=bytes_read)


def released() -> bool:
    """Says whether the other end of the standard input is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready) and not sys.stdin.readline()


def main() -> int:
    """Runs the sessions; returns 1 when some could not be assigned or recorded."""
    parser = argparse.ArgumentParser(description="Searches code, and tries out how to search best.")
    parser.add_argument("--name", required=True, help="what its sessions are called by")
    parser.add_argument("--exam", required=True, type=Path, help="the file with the queries and their answers")
    parser.add_argument("--sessions", required=True, type=int, help="how many sessions at most")
    arguments = parser.parse_args()

    exam = Exam.load(arguments.exam)
    with sortition.Client(timeout_s=2.0) as client:  # finds the sidecar beside it
        for number in range(arguments.sessions):
            if released():
                break
            run_session(client, f"{arguments.name}/{number}", exam, exam.queries(number))
    stats = client.stats
    print(stats)
    return 1 if stats.defaulted or stats.dropped or stats.refused else 0


if __name__ == "__main__":
    sys.exit(main())
