"""What reports show beyond an analysis, as messages. NaN, a figure that cannot be known, is an absent field."""

from __future__ import annotations

import math

from sortition.analyzer.plots import Distribution, PowerCurve
from sortition.api.convert import power_to_proto, report_to_proto, series_point_to_proto
from sortition.lifecycle import FullReport
from sortition.rpc.v1 import analysis_pb2

__all__ = ["distribution_to_proto", "full_report_to_proto", "power_curve_to_proto"]


def distribution_to_proto(found: Distribution) -> analysis_pb2.Distribution:
    """Returns how outcomes are spread as its message."""
    return analysis_pb2.Distribution(
        metric=found.metric,
        edges=found.edges,
        logarithmic=found.logarithmic,
        variants=[
            analysis_pb2.VariantDistribution(
                variant=each.variant, n=each.n, shares=each.shares, below=each.below, above=each.above
            )
            for each in found.variants
        ],
        reason=found.reason,
    )


def power_curve_to_proto(curve: PowerCurve) -> analysis_pb2.PowerCurve:
    """Returns what more units would find as its message."""
    return analysis_pb2.PowerCurve(
        points=[
            analysis_pb2.PowerPoint(
                units=point.units, power=point.power, mde=None if math.isnan(point.mde) else point.mde
            )
            for point in curve.points
        ],
        reason=curve.reason,
    )


def full_report_to_proto(full: FullReport) -> analysis_pb2.FullReport:
    """Returns everything that a report shows as its message."""
    return analysis_pb2.FullReport(
        report=report_to_proto(full.report),
        series=analysis_pb2.Series(metric=full.metric, points=[series_point_to_proto(point) for point in full.series]),
        distributions=[distribution_to_proto(each) for each in full.distributions],
        power=power_to_proto(full.power),
        power_curve=power_curve_to_proto(full.curve),
    )
