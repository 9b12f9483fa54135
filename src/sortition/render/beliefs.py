"""What is believed of the primary metric's differences: Bayesian figures, which do not decide."""

from __future__ import annotations

from rich.text import Text

from sortition.render.figures import Figures
from sortition.render.numbers import probability
from sortition.render.words import clean

__all__ = ["belief_lines"]


def belief_lines(figures: Figures) -> list[Text]:
    """Returns one line for each treatment whose posterior is known."""
    scale, lines = figures.scale(figures.primary), []
    for variant in figures.result.variants:
        comparison = figures.comparison(variant.name, figures.primary)
        if variant.control or not comparison.HasField("posterior"):
            continue
        found, interval = comparison.posterior, comparison.posterior.interval
        lines.append(
            Text(
                f"· belief in {clean(variant.name)} (prior {clean(found.prior)}):"
                f" {scale.difference(found.expected_lift)} {scale.interval(interval.lower, interval.upper)},"
                f" {probability(found.chance_to_beat)} to be better,"
                f" {probability(found.chance_of_practical)} to be worth it,"
                f" risk {scale.loss(found.expected_loss)}",
                style="dim",
            )
        )
    return lines
