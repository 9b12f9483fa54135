"""How far the data of an analysis can be trusted."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.tables import quiet_table
from sortition.render.words import clean
from sortition.rpc.v1.analysis_pb2 import DataQuality

__all__ = ["quality_parts", "quality_title"]

# Below these somebody should look, and nothing should be decided.
_ALERT, _UNUSABLE = 0.7, 0.3


def quality_title(quality: DataQuality) -> Text | None:
    """Returns the quality in a word of the title line: ``data quality 0.98``; None where it is not known."""
    if not quality.HasField("score"):
        return None
    return Text(f"data quality {_score(quality.score)}", style=_style(quality.score))


def quality_parts(quality: DataQuality) -> RenderableType | None:
    """Returns the parts that are not as they should be, and names the others; None when there is nothing to see."""
    low = [part for part in quality.parts if part.HasField("score") and part.score < 1]
    if not low:
        return None
    table = quiet_table("data quality", "score", "", right=("score",))
    for part in low:
        score = Text(_score(part.score), style=_style(part.score))
        table.add_row(Text(_name(part.name)), score, Text(clean(part.detail)))
    fine = [_name(part.name) for part in quality.parts if part.HasField("score") and part.score >= 1]
    unknown = [f"{_name(part.name)} ({clean(part.detail)})" for part in quality.parts if not part.HasField("score")]
    others = [f"{title}: {', '.join(names)}" for title, names in (("fine", fine), ("not judged", unknown)) if names]
    return Group(table, *([Text(f"– {'; '.join(others)}", style="dim")] if others else []))


def _name(name: str) -> str:
    return clean(name).replace("_", " ")


def _score(score: float) -> str:
    """Writes a score; what is not quite 1 is not written as 1."""
    return f"{math.floor(score * 100 + 1e-9) / 100:.2f}"


def _style(score: float) -> str:
    return "bold red" if score < _UNUSABLE else "yellow" if score < _ALERT else ""
