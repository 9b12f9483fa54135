"""Many experiments at once, letter by letter, in wide and in narrow terminals."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from sortition import render
from sortition.render.overview import ending_text
from sortition.rpc.v1 import analysis_pb2 as analysis
from unit.render.search import STATUS, make_experiment, make_result, text

WIDE = 240
ENDED = Timestamp(seconds=1_700_100_000)


def under_way(todo: str = "12 more sessions") -> analysis.ExperimentReport:
    return analysis.ExperimentReport(
        experiment=make_experiment(), analysis=make_result(), progress=0.529, running_seconds=7805, todo=[todo]
    )


def over(kind: analysis.EndingKind, **ending: object) -> analysis.ExperimentReport:
    report = analysis.ExperimentReport(experiment=make_experiment(), analysis=make_result(), progress=1)
    report.experiment.status = STATUS.EXPERIMENT_STATUS_COMPLETED
    report.experiment.ended_at.CopyFrom(ENDED)
    report.ending.CopyFrom(analysis.Ending(kind=kind, **ending))  # type: ignore[arg-type]
    return report


def summary(**changes: object) -> analysis.Summary:
    values: dict[str, object] = {
        "finished": 12, "won": 6, "shipped": 7, "rolled_back": 2, "expired": 1, "not_shipped": 2, "cancelled": 1,
        "archived": 3, "success_rate": 0.5, "success_interval": analysis.Interval(lower=0.2538, upper=0.7462),
        "confidence": 0.95, "remarks": ["Gains are estimates."],
        "gains": [
            analysis.Gain(
                metric="total_time", unit="s", kind="METRIC_KIND_DURATION", goal="GOAL_MINIMIZE", experiments=5,
                unknown=1, total=-1.9, interval=analysis.Interval(lower=-2.5, upper=-1.3), monthly=-228_000,
                monthly_interval=analysis.Interval(lower=-300_000, upper=-156_000),
            ),
            analysis.Gain(
                metric="found_all", kind="METRIC_KIND_BINARY", goal="GOAL_MAXIMIZE", experiments=1, total=0.02,
                interval=analysis.Interval(lower=-0.01, upper=0.05), monthly=2400,
                monthly_interval=analysis.Interval(lower=-1200, upper=6000),
            ),
        ],
    }  # fmt: skip
    return analysis.Summary(**{**values, **changes})  # type: ignore[arg-type]


def test_under_way_in_a_wide_terminal() -> None:
    head, line = text(render.status_table([under_way()]), WIDE).splitlines()
    assert " ".join(head.split()) == "experiment status progress units running result so far to do"
    assert line == (
        "search-strategy  running  █████░░░░░  52 %  312 of 300 sessions  2 h 10 min"
        "  combined −57.8 %  −1.11 s [−1.20, −1.02]  12 more sessions  sortition promote search-strategy"
    )


def test_under_way_in_a_narrow_terminal() -> None:
    assert text(render.status_table([under_way()]), 60).splitlines() == [
        "search-strategy   running   2 h 10 min",
        "  █████░░░░░  52 %  312 of 300 sessions",
        "  combined −57.8 %  −1.11 s [−1.20, −1.02]",
        "  • 12 more sessions",
        "  sortition promote search-strategy",
    ]


def test_a_provisional_result_says_so() -> None:
    report = under_way()
    report.analysis.provisional = True
    assert "[−1.20, −1.02], provisional" in text(render.status_table([report]), 60)


def test_what_was_typed_by_others_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in text(render.status_table([under_way("\x1b[2J")]), WIDE)
    assert "\x1b" not in text(render.finished_table([over(analysis.ENDING_KIND_EXPIRED, reasons=["\x1b[2J"])]), WIDE)
    assert "\n" not in render.change_line(under_way("one\ntwo"))


def test_how_experiments_end() -> None:
    """Words say it all: there is no colour here."""
    said = {
        "shipped combined, by itself": over(analysis.ENDING_KIND_SHIPPED, variant="combined", automatic=True),
        "shipped pooled, forced, by hand": over(analysis.ENDING_KIND_SHIPPED, variant="pooled", forced=True),
        "rolled back, by itself": over(analysis.ENDING_KIND_ROLLED_BACK, automatic=True, variant="sequential"),
        "shipped combined, rolled back by hand": over(
            analysis.ENDING_KIND_ROLLED_BACK, variant="combined", taken_back=True
        ),
        "expired, by itself": over(analysis.ENDING_KIND_EXPIRED, automatic=True),
        "nothing shipped": over(analysis.ENDING_KIND_NOT_SHIPPED),
        "cancelled": over(analysis.ENDING_KIND_CANCELLED),
    }
    assert [ending_text(report).plain for report in said.values()] == list(said)


def test_over() -> None:
    report = over(analysis.ENDING_KIND_ROLLED_BACK, automatic=True, variant="sequential", reasons=["pooled is worse"])
    _, line = text(render.finished_table([report]), WIDE).splitlines()
    # The harm that ended it: the worst of the treatments, although it has a winner.
    assert line.startswith("search-strategy  2023-11-16 02:00 UTC  rolled back, by itself    312  ")
    assert line.endswith("  pooled is worse")
    assert text(render.finished_table([report]), 50).splitlines()[-1] == "  • pooled is worse"
    cancelled = text(render.finished_table([over(analysis.ENDING_KIND_CANCELLED)]), WIDE)
    assert "−57.8" not in cancelled


def test_a_shipped_variant_is_told_by_its_own_result() -> None:
    assert render.result_text(over(analysis.ENDING_KIND_SHIPPED, variant="pooled", forced=True)).startswith("pooled ")
    assert render.result_text(over(analysis.ENDING_KIND_NOT_SHIPPED)).startswith("combined ")
    assert render.result_text(analysis.ExperimentReport()) == "–"


def test_summary() -> None:
    lines = text(render.summary_view(summary(), monthly_volume=120_000), 160).splitlines()
    assert lines[0] == (
        "finished 12   shipped 7   rolled back 2   expired 1   nothing shipped 2   (cancelled 1, of all archived 3)"
    )
    assert lines[1] == "success rate 50.0 %   [25.4, 74.6]   6 of 12 shipped their winner"
    assert lines[3].split("  ")[0] == "gain of"
    assert lines[4] == (
        "total_time ↓        6  −1.90 s   [−2.50, −1.30]  better   −228,000 s          [−300,000, −156,000]"
    )
    assert "unclear" in lines[5]
    # A share of outcomes is a number of them in a month.
    assert "+2.00 pp" in lines[5]
    assert "+2,400" in lines[5]
    assert "pp" not in lines[5].split("+2,400")[1]
    assert lines[-1] == "! Gains are estimates."


def test_summary_in_a_narrow_terminal_loses_nothing() -> None:
    narrow = text(render.summary_view(summary(), monthly_volume=120_000), 64)
    for each in ("total_time ↓", "−1.90 s better", "[−2.50, −1.30]", "−228,000 s", "[−300,000, −156,000]"):
        assert each in narrow


def test_summary_of_nothing() -> None:
    lines = text(render.summary_view(analysis.Summary())).splitlines()
    assert lines == ["finished 0   shipped 0   rolled back 0   expired 0   nothing shipped 0"]
