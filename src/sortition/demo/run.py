"""Runs the demo: a sidecar, an experiment, agents that try it on themselves, and a winner."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from google.protobuf import json_format
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sortition.client import Client, Reason
from sortition.demo.hints import next_steps
from sortition.demo.interrupts import interruptible
from sortition.demo.processes import Child, start_agent, start_sidecar
from sortition.demo.remote import Experimenter
from sortition.demo.truth import compile_exam
from sortition.errors import FailedPrecondition, InternalError, InvalidArgument, Unavailable
from sortition.model.file import load_experiment
from sortition.render.analysis import analysis_table
from sortition.rpc.v1 import admin_pb2, analysis_pb2

__all__ = ["EXPERIMENT_FILE", "run_demo"]

EXPERIMENT_FILE = Path(__file__).with_name("search-strategy.yaml")
"""The demo's experiment."""

_SUBJECT = ("agent", "search-agent")
_MAX_AGENTS = 16
# The whole demo stays below a minute; starting, analyzing and draining take a few seconds of it.
_SESSIONS_S = 45.0
_POLL_S = 0.25
_PLAIN_LINE_S = 2.0
_LAST_SESSION_S = 15.0
_DRAIN_S = 20.0


def run_demo(console: Console, *, keep: bool = False, state_dir: Path | None = None, agents: int = 4) -> None:
    """Runs the demo and prints what happens.

    Args:
        console: Where to print.
        keep: Leave the sidecar running at the end.
        state_dir: A new or empty directory for the sidecar's state; a temporary one when absent.
        agents: How many agents run at once, 1 to 16.

    Raises:
        SortitionError: Something failed; every process that was started has been ended.
    """
    if not 1 <= agents <= _MAX_AGENTS:
        raise InvalidArgument.of([("agents", f"must be from 1 to {_MAX_AGENTS}, but is {agents}")])
    spec = load_experiment(EXPERIMENT_FILE)
    # Every exit, Ctrl-C included, undoes what was done until then, in reverse.
    with interruptible(), ExitStack() as undo:
        state = _fresh(state_dir, undo)
        sidecar, target = start_sidecar(state)
        undo.callback(sidecar.end)
        experimenter = Experimenter(target)
        undo.callback(experimenter.close)
        _say(console, f"sidecar    process {sidecar.pid} at {target}, SQLite in {state}")

        started = experimenter.start(spec)
        variants = ", ".join(f"{variant.name} {variant.weight} %" for variant in started.spec.variants)
        _say(console, f"experiment {spec.key} on {_SUBJECT[0]}/{_SUBJECT[1]}: {variants}")

        exam = compile_exam()
        exam.save(state / "exam.json")
        children = [
            _start(undo, f"agent-{number}", state, sessions=spec.decision.min_samples)
            for number in range(1, agents + 1)
        ]
        ids = ", ".join(str(child.pid) for child in children)
        _say(console, f"agents     processes {ids} search Python's standard library\n")
        report = _watch(experimenter, spec.key, children, console)
        console.print()
        console.print(analysis_table(report.analysis, report.experiment))
        console.print()

        _ship(experimenter, target, spec.key, console)
        for line in next_steps(EXPERIMENT_FILE, state=state if keep else None, pid=sidecar.pid):
            _say(console, line)
        if keep:
            experimenter.close()
            undo.pop_all()
        else:
            sidecar.terminate(_DRAIN_S)
            _say(console, "sidecar    drained and ended with 0")


def _say(console: Console, line: str) -> None:
    # As it is: paths are not markup, and a narrow terminal must not cut what somebody wants to copy.
    console.print(line, markup=False, soft_wrap=True)


def _fresh(state_dir: Path | None, undo: ExitStack) -> Path:
    """Returns a state directory that nobody has used."""
    if state_dir is None:
        state = Path(tempfile.mkdtemp(prefix="sortition-demo-"))
        # An experiment that failed is worth a look, but not a directory that nobody asked for.
        undo.callback(shutil.rmtree, state, ignore_errors=True)
        return state
    state = state_dir.expanduser().absolute()
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        used = any(state.iterdir())
    except OSError as error:
        raise InvalidArgument.of([("state_dir", f"{state} cannot be used: {error.strerror}")]) from error
    if used:
        raise InvalidArgument.of([("state_dir", f"{state} is not empty; name a new directory")])
    return state


def _start(undo: ExitStack, name: str, state: Path, *, sessions: int) -> Child:
    agent = start_agent(name, state, state / "exam.json", sessions)
    undo.callback(agent.end)
    return agent


def _watch(
    experimenter: Experimenter, key: str, agents: Sequence[Child], console: Console
) -> analysis_pb2.ExperimentReport:
    """Shows how the sessions add up; returns the report with all of them, once the agents have ended.

    Raises:
        Unavailable: The sessions take too long.
        InternalError: An agent failed.
    """
    deadline = time.monotonic() + _SESSIONS_S
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    drawn = console.is_terminal and not console.is_dumb_terminal
    with Progress(*columns, console=console, disable=not drawn) as progress:
        bar = progress.add_task("sessions", total=None)
        next_line = time.monotonic() + _PLAIN_LINE_S
        while True:
            analysis = experimenter.report(key).analysis
            progress.update(bar, completed=analysis.units, total=analysis.min_samples)
            for agent in agents:
                if not agent.running:
                    agent.wait(0)
            enough = analysis.units >= analysis.min_samples
            if not drawn and (enough or time.monotonic() >= next_line):
                _say(console, f"sessions   {analysis.units} of {analysis.min_samples}")
                next_line += _PLAIN_LINE_S
            if enough:
                break
            if not any(agent.running for agent in agents):
                raise InternalError(f"the agents ended after {analysis.units} of {analysis.min_samples} sessions")
            if time.monotonic() >= deadline:
                raise Unavailable(
                    f"{analysis.units} of {analysis.min_samples} sessions in {_SESSIONS_S:g} s: this machine is busy"
                )
            time.sleep(_POLL_S)
    # They finish the session they are in: a unit that was exposed has an outcome, too.
    for agent in agents:
        agent.let_go()
    for agent in agents:
        agent.wait(_LAST_SESSION_S)
    return experimenter.report(key)


def _ship(experimenter: Experimenter, target: str, key: str, console: Console) -> None:
    """Ships the winner, and shows that an agent gets it from now on.

    Raises:
        FailedPrecondition: The analysis forbids it.
        InternalError: The agent gets something else.
    """
    before = experimenter.subject(*_SUBJECT)
    completed = experimenter.ship(key)
    if not completed.HasField("subject"):
        raise FailedPrecondition(f"nothing was shipped: {completed.analysis.recommendation}")
    after = experimenter.subject(*_SUBJECT)
    _say(console, f"winner     {completed.experiment.winner}, shipped to {_SUBJECT[0]}/{_SUBJECT[1]}")
    for subject in (before, after):
        _say(console, f"version {subject.current.number}  {_config(subject)}")
    with Client(target, timeout_s=5.0, on_error="raise") as client:
        trial = client.assign(_SUBJECT[1], unit="the next session")
    if trial.reason is not Reason.NO_EXPERIMENT or trial.config != _config(after):
        raise InternalError(f"an agent that asks now gets {trial.config} ({trial.reason}) instead of the shipped one")
    _say(console, f"an agent that asks now gets {trial.config}: {trial.reason}\n")


def _config(subject: admin_pb2.Subject) -> dict[str, object]:
    # Numbers travel as doubles, and keys in no order.
    config = sorted(json_format.MessageToDict(subject.current.config).items())
    return {key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in config}
