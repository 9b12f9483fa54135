"""The command ``import``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sortition.cli.command import command
from sortition.cli.group import say
from sortition.cli.imports.plan import Missing, Plan, assignments, metric_columns
from sortition.cli.session import Output, Session
from sortition.errors import FailedPrecondition, InvalidArgument, Violation

if TYPE_CHECKING:
    from sortition.cli.imports.sending import Sent
    from sortition.cli.imports.survey import Survey
    from sortition.rpc.v1.experiment_pb2 import Experiment

__all__ = ["register"]

_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}
_CREATE = "With --create"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "import", changes=True)(import_outcomes)


def import_outcomes(
    session: Session,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV file in UTF-8 whose first line names the columns.")
    ],
    experiment: Annotated[str, typer.Option(metavar="KEY", help="The experiment, with external_assignment: true.")],
    unit: Annotated[str, typer.Option(metavar="COL", help="The column that names the unit.")],
    variant: Annotated[str, typer.Option(metavar="COL", help="The column that names the variant.")],
    metric: Annotated[
        list[str], typer.Option(metavar="COL[=METRIC]", help="A column of values; repeatable. Default METRIC: COL.")
    ],
    denominator: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC=COL", help="What the values of a ratio are divided by; repeatable."),
    ] = None,
    names: Annotated[
        list[str] | None, typer.Option("--map", metavar="TEXT=VARIANT", help="What a text in --variant stands for.")
    ] = None,
    time: Annotated[
        str, typer.Option(metavar="COL", help="When: ISO 8601, or seconds or ms since 1970. Default: now.")
    ] = "",
    delimiter: Annotated[str, typer.Option(metavar="CHAR", help="What separates cells; also tab, semicolon.")] = ",",
    missing: Annotated[
        Missing,
        typer.Option(help="Empty, NA, NaN, null: refuse the file, leave out the value, or leave out the row."),
    ] = Missing.REFUSE,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and count them.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to an experiment that already holds outcomes.")] = False,
    create: Annotated[
        bool, typer.Option("--create", help="Create and start the experiment from what the file holds.")
    ] = False,
    control: Annotated[str, typer.Option(metavar="VARIANT", help=f"{_CREATE}: the control. Required.")] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC=KIND", help=f"{_CREATE}: a metric's kind; default: from its values."),
    ] = None,
    goal: Annotated[
        list[str] | None, typer.Option(metavar="METRIC=GOAL", help=f"{_CREATE}: minimize or maximize (the default).")
    ] = None,
    subject: Annotated[str, typer.Option(metavar="KIND/ID", help=f"{_CREATE}: the subject; default: import/KEY.")] = "",
) -> None:
    """Import outcomes of an experiment assigned elsewhere.

    All rows are checked before any is sent: a bad row refuses the file, unless --skip-bad is given. Batches are
    numbered and named after the content of the file, so that a retry counts nothing twice. An experiment that holds
    outcomes already is refused unless --append is given; what this sidecar has counted of the same import since its
    start is not counted again.
    """
    from sortition.cli.imports.rows import Rows, read_header
    from sortition.cli.imports.survey import survey
    from sortition.cli.imports.values import accept_all, check_against

    _require_create(create, control=control, kind=kind, goal=goal, subject=subject)
    separator = _DELIMITERS.get(delimiter, delimiter)
    if len(separator) != 1 or separator in '"\r\n':
        raise InvalidArgument.of([("--delimiter", f"must be one character, but is {delimiter!r}")])
    header = read_header(file, separator)
    plan = Plan(
        path=file, delimiter=separator, unit=unit, variant=variant, time=time,
        metrics=metric_columns(metric, assignments("--denominator", denominator or ()), header),
        names=assignments("--map", names or ()), missing=missing, skip_bad=skip_bad,
    )  # fmt: skip
    if create:
        rows = Rows(plan, accept_all)
        found = survey(plan, rows, None)
        stored = _create(
            session, plan, found, key=experiment, control=control, subject=subject,
            kinds=assignments("--kind", kind or ()),
            goals=assignments("--goal", goal or ()),
        )  # fmt: skip
    else:
        stored = _existing(session, experiment, plan, append=append)
        declared = {each.name: each for each in stored.spec.metrics}
        rows = Rows(plan, check_against([declared[each.metric] for each in plan.metrics]))
        found = survey(plan, rows, {each.name for each in stored.spec.variants})
    from sortition.cli.imports.sending import GO_ON, send

    try:
        with _progress(found.good) as progress:
            sent = send(session, stored, plan, rows, progress)
    except KeyboardInterrupt:
        say(f"interrupted; what was sent is counted, and {GO_ON}")
        raise
    _report(session, stored, plan, found, sent)


def _require_create(create: bool, **options: Any) -> None:
    given = [name for name, value in options.items() if value]
    if not create and given:
        raise InvalidArgument.of(
            (f"--{name}", "says how to create the experiment; give --create as well") for name in given
        )
    if create and "control" not in given:
        raise InvalidArgument.of(
            [("--control", "is required with --create: the variant that others are compared with")]
        )


def _existing(session: Session, key: str, plan: Plan, *, append: bool) -> Experiment:
    """Returns the experiment, if outcomes can be imported into it."""
    from sortition.rpc.v1.admin_pb2 import GetExperimentRequest
    from sortition.rpc.v1.analysis_pb2 import AnalysisResult, AnalyzeRequest
    from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

    named = GetExperimentRequest(key=key, organization=session.organization)
    stored: Experiment = session.call(session.admin.GetExperiment, named)
    if not stored.spec.external_assignment:
        raise FailedPrecondition(
            f"{key} assigns its variants itself; outcomes can be imported where its file says external_assignment: true"
        )
    if stored.status != ExperimentStatus.EXPERIMENT_STATUS_RUNNING:
        raise FailedPrecondition(f"{key} is not running, so it counts no outcomes; start it first")
    declared = {metric.name for metric in stored.spec.metrics}
    unknown = [metric.metric for metric in plan.metrics if metric.metric not in declared]
    if unknown:
        raise InvalidArgument.of(
            Violation(
                "--metric", f"{name!r} is no metric of {key}; those are {', '.join(sorted(declared))}; write COL=METRIC"
            )
            for name in unknown
        )
    request = AnalyzeRequest(key=key, organization=session.organization)
    result: AnalysisResult = session.call(session.analysis.Analyze, request)
    if result.units and not append:
        raise FailedPrecondition(f"{key} already holds outcomes of {result.units} units; give --append to add to them")
    return stored


def _create(session: Session, plan: Plan, found: Survey, **declared: Any) -> Experiment:
    from sortition.cli.imports.declare import declare
    from sortition.model.wire import spec_to_proto
    from sortition.rpc.v1.admin_pb2 import ChangeExperimentRequest, CreateExperimentRequest

    spec = declare(plan, found, organization=session.organization, **declared)
    request = CreateExperimentRequest(spec=spec_to_proto(spec), actor=session.actor)
    session.call(session.admin.CreateExperiment, request)
    change = ChangeExperimentRequest(key=spec.key, organization=spec.organization, actor=session.actor)
    started: Experiment = session.call(session.admin.StartExperiment, change)
    return started


@contextmanager
def _progress(rows: int) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar on a terminal, and nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sortition.cli.output import console

    screen = console(stderr=True)
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("import", total=rows)
        yield lambda count: bar.advance(task, count)


def _report(session: Session, experiment: Experiment, plan: Plan, found: Survey, sent: Sent) -> None:
    """Says what was imported, and shows the analysis; which also brings everything into the database."""
    from rich.console import Group
    from rich.text import Text

    from sortition.cli.output import print_document, print_table, to_document
    from sortition.render import analysis_table
    from sortition.rpc.v1.analysis_pb2 import AnalysisResult, AnalyzeRequest

    request = AnalyzeRequest(key=experiment.spec.key, organization=experiment.spec.organization)
    result: AnalysisResult = session.call(session.analysis.Analyze, request)
    counts = {
        "rows": found.rows, **asdict(sent), "skipped_rows": found.bad, "left_out_rows": found.left,
        "missing_values": found.missing,
    }  # fmt: skip
    for problem in found.problems:
        say(f"  {problem}")
    if session.output is Output.JSON:
        document = {"experiment": experiment.spec.key, "file": str(plan.path), **counts}
        print_document({**document, "analysis": to_document(result)})
        return
    words = [f"{counts.pop('rows'):,} rows", f"{counts.pop('observations'):,} observations counted"]
    counts.pop("outcomes")
    words += [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    print_table(Group(Text(f"{experiment.spec.key}: {', '.join(words)}"), Text(), analysis_table(result, experiment)))
