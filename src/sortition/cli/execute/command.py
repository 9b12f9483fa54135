"""``exec``: the conversation around one command."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sortition.cli.command import command
from sortition.cli.execute import process
from sortition.cli.group import say
from sortition.cli.session import Session
from sortition.errors import InvalidArgument, SettingsError, SortitionError, Unavailable

if TYPE_CHECKING:
    from sortition.cli.execute.kept import Kept
    from sortition.cli.execute.known import KnownConfigs
    from sortition.cli.execute.variant import Given
    from sortition.client.wanted import Wanted
    from sortition.rpc.v1.recording_pb2 import Outcome

__all__ = ["register"]

# How long one call may hold up the command, or its caller.
_TIMEOUT_S: Final = 2.0
_MAX_CODE: Final = 255
_UNIT_BYTES: Final = 512
_DURATION_UNITS: Final = ("s", "ms", "us")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "exec", formats=False, timeout_s=_TIMEOUT_S)(execute)


def execute(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="KIND/ID, such as prompt/greeting; without a kind: agent.")
    ],
    program: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND [ARGUMENT]...", help="What to run, behind two dashes.")
    ],
    unit: Annotated[
        str, typer.Option(metavar="ID", help="What is randomized, such as the id of a session.", show_default=False)
    ],
    success_codes: Annotated[
        str, typer.Option(metavar="CODES", help="Exit codes that count as success, such as 0,3,10-12.")
    ] = "0",
    duration: Annotated[
        str, typer.Option(metavar="METRIC", help="Where the duration is recorded, if it is declared; none when empty.")
    ] = "duration",
    duration_unit: Annotated[
        str, typer.Option(metavar="UNIT", help="What that metric is measured in: s, ms or us.")
    ] = "s",
    success: Annotated[
        str, typer.Option(metavar="METRIC", help="Where success is recorded, if it is declared; none when empty.")
    ] = "success",
    dimension: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=LEVEL", help="What outcomes are broken down by; several times for several."),
    ] = None,
    default: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The configuration while the sidecar is away and none is known, in JSON or YAML."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing about what is not recorded.")] = False,
) -> None:
    """Run a command under a unit's variant, and record how long it took and whether it succeeded.

    The command finds its variant in SORTITION_VARIANT, its configuration as JSON in SORTITION_CONFIG (up to 64 KiB) and
    in the file SORTITION_CONFIG_FILE, and may write lines of NAME VALUE [DENOMINATOR], or JSON, to the file
    SORTITION_METRICS_FILE or the descriptor SORTITION_METRICS_FD. Output, signals and exit status are its own.

    While the sidecar is away the command runs with the subject's current configuration, as last known; an outcome that
    cannot be delivered waits on disk for the next run.
    """
    # Before anything starts a thread.
    with process.held_signals() as mask:
        code = _Execution(
            session,
            subject,
            program,
            unit,
            codes=_codes(success_codes),
            automatic=(duration, duration_unit, success),
            dimensions=_dimensions(dimension or []),
            default=default,
            tell=_ignore if quiet else _tell,
        ).run(mask)
    raise typer.Exit(code)


class _Execution:
    """One run of a command."""

    def __init__(
        self,
        session: Session,
        subject: str,
        program: list[str],
        unit: str,
        *,
        codes: frozenset[int],
        automatic: tuple[str, str, str],
        dimensions: dict[str, str],
        default: Path | None,
        tell: Callable[[str], None],
    ) -> None:
        if not 0 < len(unit.encode("utf-8", "surrogateescape")) <= _UNIT_BYTES:
            raise InvalidArgument.of([("--unit", f"must have 1 to {_UNIT_BYTES} bytes")])
        if automatic[1] not in _DURATION_UNITS:
            text = f"must be one of {', '.join(_DURATION_UNITS)}, but is {automatic[1]!r}"
            raise InvalidArgument.of([("--duration-unit", text)])
        self._session = session
        self._program = program
        self._unit = unit
        self._codes = codes
        self._automatic = automatic
        self._dimensions = dimensions
        self._default = _config(default) if default else None
        self._tell = tell
        self._subject = subject
        # It is known from now on which descriptors came from outside.
        self._descriptor = process.free_descriptor()

    def run(self, mask: Any) -> int:
        """Assigns, runs, records; returns the exit code."""
        hopeless = process.unfit(self._program[0])
        if hopeless:
            say(f"error: {hopeless.problem}")
            return hopeless.code
        from sortition.cli.execute.workplace import workplace
        from sortition.client.wanted import Wanted, utf8

        wanted = Wanted.of(utf8("subject", self._subject), None, None)
        utf8("--unit", self._unit)
        kept, known = self._stored()
        given = self._given(wanted, known)
        with workplace(given, self._unit, self._descriptor) as place:
            ended_by = process.arrived()
            if ended_by:
                # Nothing was started that it could be passed on to.
                return process.SIGNALLED + ended_by
            ended = process.run(self._program, place.environment, descriptors=place.descriptors, mask=mask)
            if ended.problem:
                say(f"error: {ended.problem}")
                return ended.code
            try:
                self._record(kept, given, ended, place.metrics)
            except SortitionError as error:
                # The exit status is the command's, whatever becomes of its outcome.
                self._tell(error.message)
        return ended.code

    def _stored(self) -> tuple[Kept, KnownConfigs]:
        """Returns what is stored for the sidecar that is meant: another one's numbers mean nothing to it."""
        from sortition import locations
        from sortition.cli.execute.kept import Kept
        from sortition.cli.execute.known import KnownConfigs

        address = self._session.target
        if not address and self._session.state_dir is None:
            address = os.environ.get("SORTITION_TARGET", "")
        directory = locations.exec_dir(locations.state_dir(self._session.state_dir))
        # A sidecar that is found by its directory has another address after every start, and is the same one.
        directory /= hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:16] if address else "local"
        return Kept(directory / "kept"), KnownConfigs(directory / "known")

    def _given(self, wanted: Wanted, known: KnownConfigs) -> Given:
        """Returns what the sidecar gives the unit; without it, the current configuration."""
        from sortition.cli.execute.variant import assign, given_by

        subject = list(wanted.default_keys)[-1]
        try:
            # Closed before anything is started.
            with replace(self._session).open() as session:
                answer = assign(session, wanted, self._unit)
                given = given_by(answer)
                known.learn(session, subject, answer)
                return given
        except (InvalidArgument, SettingsError):
            raise
        except SortitionError as error:
            return self._current(known, subject, error)

    def _current(self, known: KnownConfigs, subject: str, error: SortitionError) -> Given:
        from sortition.cli.execute.variant import Given
        from sortition.model.canonical import canonical_json

        why = "the sidecar is away" if isinstance(error, Unavailable) else "the sidecar gave no variant"
        last = known.recall(self._session.organization, subject)
        if last is not None:
            which = f"the control of {last.experiment}" if last.experiment else f"version {last.version}"
            self._tell(f"{why}, so this run uses the current configuration ({which}, {last.since}): {error.message}")
            return Given(canonical_json(last.config))
        chosen = self._default or {}
        which = "the one of --default" if self._default is not None else "empty"
        self._tell(f"{why} and no configuration is known, so it is {which}: {error.message}")
        return Given(canonical_json(chosen))

    def _record(self, kept: Kept, given: Given, ended: process.Ended, metrics: Path) -> None:
        """Keeps the outcome, and delivers it with those that wait."""
        from sortition.cli.execute.delivery import deliver, send

        outcomes = self._outcomes(given, ended, metrics) if given.counts else []
        own = None
        if outcomes:
            try:
                own = kept.add(outcomes)
            except (OSError, SortitionError) as error:
                # Then it is now or never.
                self._tell(f"the outcome cannot be kept on disk: {error}")
                from sortition.rpc.v1.recording_pb2 import Delivery, RecordBatchRequest

                once = Delivery(client=os.urandom(16), seq=1, oldest_pending=1)
                with replace(self._session).open() as session:
                    send(session, RecordBatchRequest(outcomes=outcomes, delivery=once), self._tell)
                return
        if own or kept.entries():
            with replace(self._session).open() as session:
                deliver(session, kept, own, self._tell)

    def _outcomes(self, given: Given, ended: process.Ended, metrics: Path) -> list[Outcome]:
        from sortition.cli.execute.metrics import read_metrics
        from sortition.client.measure import Automatic
        from sortition.client.observations import MAX_OBSERVATIONS, outcomes

        automatic = Automatic(*self._automatic)
        measured = read_metrics(metrics, MAX_OBSERVATIONS - 2)
        for problem in measured.problems:
            self._tell(f"metrics: {problem}")
        recorded = {each.metric for each in measured.observations}
        made = outcomes(
            [*measured.observations, *automatic.observations(ended.seconds, ended.code in self._codes, recorded)],
            experiment=given.experiment,
            unit=self._unit,
            variant=given.variant,
            organization=self._session.organization,
            dimensions=self._dimensions,
        )
        for outcome in made:
            # It may be delivered on another day than the one it belongs to.
            outcome.occurred_at_ms = int(time.time() * 1000)
        return made


def _tell(text: str) -> None:
    say(f"sortition: {text}")


def _ignore(text: str) -> None:
    """Says nothing."""


def _config(path: Path) -> dict[str, Any]:
    from sortition.model.file import load_config

    return load_config(path)


def _codes(text: str) -> frozenset[int]:
    """Reads codes and ranges of codes."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        try:
            numbers = range(int(first), int(last or first) + 1)
        except ValueError:
            numbers = range(0)
        if not numbers or not 0 <= numbers[0] <= numbers[-1] <= _MAX_CODE:
            text = f"must be codes from 0 to {_MAX_CODE} such as 0,3,10-12, but has {part!r}"
            raise InvalidArgument.of([("--success-codes", text)])
        found.update(numbers)
    return frozenset(found)


def _dimensions(given: list[str]) -> dict[str, str]:
    from sortition.client.dimensions import levels

    wrong = [each for each in given if "=" not in each[1:]]
    if wrong:
        raise InvalidArgument.of(("--dimension", f"must be NAME=LEVEL, but is {each!r}") for each in wrong)
    return levels({name: level for name, _, level in (each.partition("=") for each in given)})
