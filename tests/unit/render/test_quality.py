"""The data's quality in a title and in a table."""

from __future__ import annotations

from sortition.render import analysis_table
from sortition.render.quality import quality_parts, quality_title
from sortition.rpc.v1.analysis_pb2 import DataQuality, QualityPart
from unit.render.search import make_experiment, make_result, text

LOW = DataQuality(
    score=0.4079,
    parts=[
        QualityPart(name="split", score=2 / 3, detail="p = 0.001 at this look"),
        QualityPart(name="crossed_units", score=0.6153, detail="400 of 10,400 sessions were seen in several variants"),
        QualityPart(name="daily_rate", score=1.0, detail="no day was unlike those before it"),
        QualityPart(name="covariate_balance", detail="no covariate is declared"),
    ],
)


def test_parts_that_are_low_are_explained_and_the_others_named() -> None:
    found = quality_parts(LOW)
    assert found is not None
    assert (
        text(found)
        == """\
data quality   score
split           0.66  p = 0.001 at this look
crossed units   0.61  400 of 10,400 sessions were seen in several variants
– fine: daily rate; not judged: covariate balance (no covariate is declared)"""
    )


def test_what_is_not_quite_one_is_not_written_as_one() -> None:
    for score, shown in ((1.0, "1.00"), (0.9999, "0.99"), (0.29, "0.29"), (0.0, "0.00")):
        title = quality_title(DataQuality(score=score))
        assert title is not None
        assert title.plain == f"data quality {shown}"


def test_colour_says_what_the_figure_says() -> None:
    styles = [title.style for score in (0.98, 0.69, 0.29) if (title := quality_title(DataQuality(score=score)))]
    assert styles == ["", "yellow", "bold red"]


def test_nothing_to_see_shows_nothing() -> None:
    assert quality_title(DataQuality()) is None
    assert quality_parts(DataQuality()) is None
    assert quality_parts(DataQuality(score=1, parts=[QualityPart(name="split", score=1)])) is None


def test_it_stands_in_the_title_and_below_the_figures() -> None:
    result = make_result()
    result.quality.CopyFrom(LOW)
    result.warnings.append(LOW.parts[1].detail)
    lines = text(analysis_table(result, make_experiment())).splitlines()
    assert lines[0].endswith("SRM ok   data quality 0.40")
    assert "crossed units   0.61  400 of 10,400 sessions were seen in several variants" in lines
    assert not any(line.startswith("!") for line in lines), "it is said once"
    brief = text(analysis_table(result, make_experiment(), brief=True))
    assert "data quality 0.40" in brief
    assert "crossed units" not in brief
    assert "! 400 of 10,400 sessions were seen in several variants" in brief.splitlines()


def test_a_detail_cannot_steer_the_terminal() -> None:
    found = quality_parts(
        DataQuality(score=0.5, parts=[QualityPart(name="sp\x1blit", score=0.5, detail="a\x1b[31m[red]b")])
    )
    assert found is not None
    assert "\x1b" not in text(found)
    assert "[red]b" in text(found)
