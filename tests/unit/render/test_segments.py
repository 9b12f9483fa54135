"""The table of segments, letter by letter."""

from __future__ import annotations

from sortition.render import analysis_table
from sortition.rpc.v1 import analysis_pb2 as analysis
from unit.render.search import make_experiment, make_result, text

EXPECTED = """\
segment   metric        control        variant   value          n  vs control           95 % interval   p
os ios    total_time ↓  1.80 s ± 0.05  combined  0.90 s        50  −50.0 %     −0.90 s  [−1.00, −0.80]  < 0.001  better
          found_all ↑   99.0 %         combined  90.0 % ± 3.0  50  −9.1 %      −9.0 pp  [−15.0, −3.0]   0.012    worse
os watch  none yet
os other  total_time ↓  2.00 s         combined  –              0  –           –        –               –
segments inform and do not decide; p is corrected for all 4 comparisons"""

NARROW = """\
segment       variant       vs control
metric        value         p           95 % interval
os ios        combined      −50.0 %     −0.90 s  [−1.00, −0.80]
total_time ↓  0.90 s        < 0.001     better
              combined      −9.1 %      −9.0 pp  [−15.0, −3.0]
found_all ↑   90.0 % ± 3.0  0.012       worse
os watch
none yet
os other      combined      –           –  –
total_time ↓  –             –
segments inform and do not decide; p is corrected for all 4 comparisons"""


def with_segments() -> analysis.AnalysisResult:
    result = make_result()
    mobile = result.segments.add(dimension="os", level="ios")
    mobile.metrics.add(variant="sequential", metric="total_time", n=50, mean=1.8, se=0.05)
    mobile.metrics.add(variant="combined", metric="total_time", n=50, mean=0.9)
    mobile.metrics.add(variant="sequential", metric="found_all", n=50, mean=0.99)
    mobile.metrics.add(variant="combined", metric="found_all", n=50, mean=0.9, se=0.03)
    mobile.comparisons.add(
        variant="combined", metric="total_time", difference=-0.9, relative=-0.5, p_adjusted=1e-6, significant=True,
        improvement=True, interval=analysis.Interval(lower=-1.0, upper=-0.8),
    )  # fmt: skip
    mobile.comparisons.add(
        variant="combined", metric="found_all", difference=-0.09, relative=-0.091, p_adjusted=0.012, significant=True,
        interval=analysis.Interval(lower=-0.15, upper=-0.03),
    )  # fmt: skip
    # What does not stand out is told of the primary metric alone.
    mobile.comparisons.add(variant="pooled", metric="found_all", difference=0.01, p_adjusted=0.7)
    result.segments.add(dimension="os", level="watch")
    other = result.segments.add(dimension="os", level="other")
    other.metrics.add(variant="sequential", metric="total_time", n=1, mean=2.0)
    other.comparisons.add(variant="combined", metric="total_time", reason="no outcomes")
    return result


def test_the_primary_metric_at_every_level_and_of_others_what_stands_out() -> None:
    assert EXPECTED in text(analysis_table(with_segments(), make_experiment()), width=140)


def test_a_narrow_terminal_stacks_the_cells() -> None:
    assert NARROW in text(analysis_table(with_segments(), make_experiment()), width=80)


def test_what_does_not_decide_is_left_out_of_the_brief_form() -> None:
    assert "segment" not in text(analysis_table(with_segments(), make_experiment(), brief=True))


def test_without_dimensions_there_is_no_table() -> None:
    assert "segment" not in text(analysis_table(make_result(), make_experiment()))


def test_names_from_elsewhere_do_not_steer_the_terminal() -> None:
    result = with_segments()
    result.segments[0].level = "\x1b[31m"
    assert "\x1b" not in text(analysis_table(result, make_experiment()))
