"""Says whether a change made something slower.

    make bench-compare BASE=main        compares what is checked out with a revision
    make bench-compare BASE=main COMPARE='--rounds 20 --only record --threshold 0.1'

The base is unpacked and built in a folder of its own. Then rounds run both trees in turn, every time in fresh
processes: calls into the core (`probes`), and sidecars under load. Exits with 1 when something is slower: the interval
of its ratio lies above no change, and the estimate beyond the threshold. All intervals together miss with a probability
of 5 % at most.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from load import ROOT, begin_load, build_loadgen, cpu_s, end_load, pin, write_messages
from sidecar import running_sidecar
from sortition import locations
from test_server import ASSIGN, RECORD, assign_request, record_request
from verdict import Verdict, fewest_rounds, judge

BENCHES = Path(__file__).parent
ALPHA = 0.05
SECONDS = 0.6
IN_FLIGHT = 50
_BUILD_S = 1800
_PROBE_S = 120
_LIBRARIES = ("lib_core.so", "lib_core.dylib")


def main() -> int:
    parser = argparse.ArgumentParser(description="Says whether a change made something slower.")
    parser.add_argument("base", help="the revision to compare with")
    parser.add_argument("--rounds", type=int, default=12, help="how often each is run (12)")
    parser.add_argument("--threshold", type=float, default=0.05, help="what is worth a word (0.05: 5 %%)")
    parser.add_argument("--only", default="", help="benches whose name has this in it")
    parser.add_argument("--without-servers", action="store_true", help="only calls into the core")
    given = parser.parse_args()
    # Ended like an error, so that everything that was begun is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not given.without_servers:
        build_loadgen()
    with base_tree(given.base) as base, tempfile.TemporaryDirectory() as scratch:
        trees = {"base": base, "head": ROOT}
        seen: dict[str, dict[str, list[float]]] = {}
        for number in range(given.rounds):
            # Whoever is second finds the machine as the first has left it.
            for name in sorted(trees, reverse=bool(number % 2)):
                for bench, took in one_round(trees[name], Path(scratch), servers=not given.without_servers):
                    seen.setdefault(bench, {}).setdefault(name, []).append(took)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
            if too_few(given.rounds, sum(given.only in bench for bench in seen)):
                return 2
    return report(seen, given.rounds, given.threshold, given.only)


@contextmanager
def base_tree(revision: str) -> Iterator[Path]:
    """Unpacks a revision and builds its native module; takes both away at the end.

    It is unpacked and not a worktree of git's, which would stay in the repository when this is killed.
    """
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    with tempfile.TemporaryDirectory(prefix="sortition-base-") as folder:
        tree = Path(folder)
        subprocess.run(["tar", "-x", "-C", str(tree)], input=_git("archive", commit), check=True, timeout=120)
        build(tree)
        yield tree


def build(tree: Path) -> None:
    """Builds the native module of a tree and puts it where it is imported from."""
    # Kept, so that the next comparison builds only what differs.
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "compare"
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(target),
        "PYO3_BUILD_EXTENSION_MODULE": "1",
        "PYO3_PYTHON": sys.executable,
    }
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "sortition-python"]
    print(f"building {tree}", file=sys.stderr, flush=True)
    subprocess.run(command, cwd=tree, env=environment, check=True, timeout=_BUILD_S)
    built = next(target / "release" / name for name in _LIBRARIES if (target / "release" / name).exists())
    shutil.copy(built, tree / "src" / "sortition" / "_core.abi3.so")


def one_round(tree: Path, scratch: Path, *, servers: bool) -> Iterator[tuple[str, float]]:
    """Yields what each bench takes in one tree, in nanoseconds or whatever is better when it is less."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(BENCHES)])}
    run = subprocess.run(
        [sys.executable, str(BENCHES / "probes.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=_PROBE_S,
        preexec_fn=lambda: pin(0),
    )
    yield from json.loads(run.stdout).items()
    if servers:
        with tempfile.TemporaryDirectory(dir=scratch) as state:
            yield from served(tree, Path(state))


def served(tree: Path, folder: Path) -> Iterator[tuple[str, float]]:
    """Yields what a call takes of a sidecar of this tree, from the outside and of its CPU."""
    messages = {
        ASSIGN: write_messages(folder / "assign", [assign_request(unit).SerializeToString() for unit in range(1000)]),
        RECORD: write_messages(folder / "record", [record_request(unit).SerializeToString() for unit in range(1000)]),
    }
    with running_sidecar(folder / "state", 0, tree=tree) as (pid, address):
        doors = {"Python server": address}
        announced = locations.lane_file(folder / "state")
        if announced.exists():
            doors["native lane"] = announced.read_text().strip()
        for door, at in doors.items():
            for method, name in ((ASSIGN, "Assign"), (RECORD, "Record")):
                before = cpu_s(pid)
                figures = end_load(begin_load(at, method, messages[method], in_flight=IN_FLIGHT, seconds=SECONDS))
                yield f"{door}, {name}, 1/(requests/s)", 1e9 / figures.requests_per_s
                calls = figures.requests_per_s * SECONDS
                yield f"{door}, {name}, the server's CPU", 1e9 * (cpu_s(pid) - before) / calls


def too_few(rounds: int, benches: int) -> bool:
    """Returns whether so many benches cannot be told apart from noise; then it says how many rounds would do."""
    needed = fewest_rounds(ALPHA / max(1, benches))
    if rounds < needed:
        print(f"{rounds} rounds cannot tell {benches} benches apart from noise; run {needed}")
    return rounds < needed


def report(seen: dict[str, dict[str, list[float]]], rounds: int, threshold: float, only: str) -> int:
    """Prints what became of each bench; returns 1 where one is slower."""
    both = {
        name: sides
        for name, sides in seen.items()
        if only in name and all(len(sides.get(side, ())) == rounds for side in ("base", "head"))
    }
    if not both:
        print("there is no such bench in both trees")
        return 2
    if too_few(rounds, len(both)):
        return 2
    alpha = ALPHA / len(both)
    verdicts = [
        judge(name, sides["base"], sides["head"], threshold=threshold, alpha=alpha) for name, sides in both.items()
    ]
    for line in table(verdicts):
        print(line)
    left = sorted(set(seen) - set(both)) if not only else []
    if left:
        print(f"only in one of the trees: {', '.join(left)}")
    slower = [one.name for one in verdicts if one.word == "slower"]
    print(f"{len(slower)} of {len(verdicts)} are slower by more than {threshold:.0%}")
    return 1 if slower else 0


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    width = max(len(one.name) for one in verdicts)
    yield f"{'bench':{width}}  head/base  interval          verdict"
    for one in verdicts:
        yield f"{one.name:{width}}  {one.ratio:9.3f}  {one.lower:.3f} to {one.upper:.3f}    {one.word}"


def _git(*arguments: str) -> bytes:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False, timeout=120)
    if run.returncode:
        sys.exit(f"git {' '.join(arguments)}: {run.stderr.decode().strip()}")
    return run.stdout


if __name__ == "__main__":
    sys.exit(main())
