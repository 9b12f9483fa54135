"""A report on what a real sidecar has recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from sidecars import KEY, TIMEOUT_S, Stubs, connected, run_units, running, start_experiment
from sortition.report import compose, html_page, markdown_text
from sortition.rpc.v1 import admin_pb2, analysis_pb2
from unit.report.page import text_of, tree_of


@pytest.fixture
def stubs(tmp_path: Path) -> Iterator[Stubs]:
    with running(tmp_path / "state", log_level="error") as service, connected(service.address) as found:
        yield found


def full_report(stubs: Stubs, key: str = KEY) -> analysis_pb2.FullReport:
    found: analysis_pb2.FullReport = stubs.analysis.GetFullReport(
        analysis_pb2.GetFullReportRequest(key=key), timeout=TIMEOUT_S
    )
    return found


def test_a_report_is_made_of_what_the_single_questions_answer(stubs: Stubs) -> None:
    start_experiment(stubs)
    units = run_units(stubs, 120)
    full = full_report(stubs)
    assert full.report.analysis.units == 120
    series = stubs.analysis.GetSeries(analysis_pb2.GetSeriesRequest(key=KEY), timeout=TIMEOUT_S)
    assert full.series == series
    distribution = stubs.analysis.GetDistribution(analysis_pb2.GetDistributionRequest(key=KEY), timeout=TIMEOUT_S)
    assert list(full.distributions) == [distribution]
    assert {arm.variant: arm.n for arm in distribution.variants} == units
    curve = stubs.analysis.GetPowerCurve(analysis_pb2.GetPowerCurveRequest(key=KEY), timeout=TIMEOUT_S)
    assert full.power_curve == curve
    at_needed = next(point for point in curve.points if point.units == full.power.units_total)
    assert at_needed.power == pytest.approx(0.8, abs=0.02)
    analysis = stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=KEY), timeout=TIMEOUT_S)
    analysis.analyzed_at.CopyFrom(full.report.analysis.analyzed_at)
    assert full.report.analysis == analysis, "what the report's look has reached is in it"


def test_the_confidence_sequence_holds_the_interval(stubs: Stubs) -> None:
    start_experiment(stubs, decision={"min_samples": 40, "policy": "fixed_horizon"})
    run_units(stubs, 120)
    point = next(point for point in full_report(stubs).series.points if point.variant == "fast")
    always, once = point.cumulative_always_valid, point.cumulative_interval
    assert always.lower < once.lower < point.cumulative_difference < once.upper < always.upper < 0


def test_every_status_has_a_report(stubs: Stubs) -> None:
    start_experiment(stubs)
    assert "There are no outcomes yet" in html_page(compose(full_report(stubs)))
    run_units(stubs, 120)
    page = tree_of(html_page(compose(full_report(stubs))))
    assert text_of(next(page.iter("h1"))) == KEY
    assert "Ship fast" in text_of(next(page.iter("header")))
    request = admin_pb2.CompleteExperimentRequest(key=KEY, actor=admin_pb2.Actor(name="ada"))
    stubs.admin.CompleteExperiment(request, timeout=TIMEOUT_S)
    over = markdown_text(compose(full_report(stubs)))
    assert "**Status**: completed" in over
    assert "sortition promote" not in over


def test_names_that_are_not_there(stubs: Stubs) -> None:
    start_experiment(stubs)
    for call, request, says in (
        (stubs.analysis.GetFullReport, analysis_pb2.GetFullReportRequest(key="gone"), "no experiment 'gone'"),
        (stubs.analysis.GetPowerCurve, analysis_pb2.GetPowerCurveRequest(key="gone"), "no experiment 'gone'"),
        (stubs.analysis.GetDistribution, analysis_pb2.GetDistributionRequest(key=KEY, metric="x"), "no metric 'x'"),
    ):
        with pytest.raises(grpc.RpcError, match=says) as caught:
            call(request, timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError, match="key") as caught:
        stubs.analysis.GetFullReport(analysis_pb2.GetFullReportRequest(), timeout=TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
