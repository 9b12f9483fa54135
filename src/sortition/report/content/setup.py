"""What was declared."""

from __future__ import annotations

import json

from sortition.render.configs import plain_config
from sortition.render.numbers import count, percent
from sortition.render.words import kind_word, moment, role_word
from sortition.report.content.words import policy_text
from sortition.report.document import Block, Cell, Code, Column, Facts, Section, Table, cell
from sortition.report.source import Source

__all__ = ["setup"]

# A report is to be read; a configuration may have a hundred times as many letters.
_MAX_CONFIG = 4000


def setup(source: Source) -> Section:
    """Returns the experiment as it was declared."""
    spec, decision = source.spec, source.spec.decision
    pairs: list[tuple[str, Cell]] = [
        ("Experiment", cell(spec.key)),
        ("Organization", cell(spec.organization or "default")),
        ("Subject", cell(f"{spec.subject.kind}/{spec.subject.id}")),
        ("Unit", cell(spec.unit or "session")),
        ("Description", cell(spec.description)),
        ("Dimensions", cell("; ".join(f"{each.name} ({', '.join(each.levels)})" for each in spec.dimensions))),
        ("Decides by", cell(policy_text(decision.policy))),
        ("Minimum sample", cell(count(decision.min_samples))),
        ("Minimum detectable effect", cell(percent(decision.mde))),
        ("Confidence", cell(percent(decision.confidence))),
        ("Started", cell(moment(source.experiment.started_at) if source.experiment.HasField("started_at") else "")),
        ("Ended", cell(moment(source.experiment.ended_at) if source.experiment.HasField("ended_at") else "")),
    ]
    blocks: list[Block] = [Facts(tuple(pair for pair in pairs if pair[1].text != "–"))]
    titles = ("metric", "kind", "unit", "better", "role", "margin")
    blocks.append(
        Table(
            "Declared metrics",
            tuple(Column(title, title == "margin") for title in titles),
            tuple(
                (
                    cell(each.name),
                    cell(kind_word(each.kind)),
                    cell(each.unit),
                    cell(source.better(each.name)),
                    cell(role_word(each.role)),
                    cell(percent(each.margin) if each.HasField("margin") else ""),
                )
                for each in spec.metrics
            ),
        )
    )
    for variant in spec.variants:
        config = json.dumps(plain_config(variant.config), ensure_ascii=False, indent=2)
        control = ", control" if variant.control else ""
        if len(config) > _MAX_CONFIG:
            config = f"{config[:_MAX_CONFIG]}\n… {len(config) - _MAX_CONFIG:,} more letters; see `sortition show`"
        blocks.append(Code(f"{variant.name} ({variant.weight} %{control})", config))
    return Section("setup", "As declared", tuple(blocks))
