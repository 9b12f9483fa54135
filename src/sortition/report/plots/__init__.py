"""Plots as SVG elements: they need no script and take their colours from the page.

Each series has a colour, a shape and a kind of line; each plot a title and a description for those who do not see it.
"""

from __future__ import annotations

from sortition.report.plots.effect import Effect, EffectDay, effect_plot
from sortition.report.plots.intervals import IntervalRow, interval_plot
from sortition.report.plots.lines import Line, line_plot
from sortition.report.plots.power import power_plot
from sortition.report.plots.shares import ShareRow, share_plot
from sortition.report.plots.spread import Spread, spread_plot

__all__ = [
    "Effect",
    "EffectDay",
    "IntervalRow",
    "Line",
    "ShareRow",
    "Spread",
    "effect_plot",
    "interval_plot",
    "line_plot",
    "power_plot",
    "share_plot",
    "spread_plot",
]
