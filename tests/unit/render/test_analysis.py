"""The table people look at, letter by letter."""

from __future__ import annotations

from sortition.render import analysis_table
from unit.render.search import STATUS, make_experiment, make_result, text

EXPECTED = """\
search-strategy   running 2 h 10 min   312 of 300 sessions   SRM ok
variant       sessions  total_time     vs control           95 % interval   beats control
sequential ◆       104  1.92 s ± 0.04
combined           101  0.81 s ± 0.02  −57.8 %     −1.11 s  [−1.20, −1.02]  > 99.9 %       ← winner
pooled             107  1.10 s ± 0.03  −42.7 %     −0.82 s  [−0.92, −0.72]  97.3 %         better

metric                 control       variant   value          vs control           95 % interval   p
total_time p50 ↓       1.90 s        combined  0.80 s         –           –        –               –
                                     pooled    1.05 s         –           –        –               –
total_time p95 ↓       2.71 s        combined  1.12 s         −58.7 %     −1.59 s  [−1.70, −1.40]  < 0.001  better
                                     pooled    1.50 s         –           –        –               –
found_all ↑ guardrail  99.0 % ± 1.0  combined  100.0 % ± 0.0  +1.0 %      +1.0 pp  [−0.9, 2.9]     0.310    intact
                                     pooled    90.0 % ± 2.9   −9.1 %      −9.0 pp  [−15.0, −3.0]   0.004    BROKEN
Ship combined: total_time −57.8 % (p < 0.001), guardrail found_all intact. `sortition promote search-strategy`"""


NARROW = """\
search-strategy   running 2 h 10 min   312 of 300 sessions   SRM ok
variant                      vs control
sessions      total_time     beats control  95 % interval
sequential ◆  1.92 s ± 0.04
104
combined      0.81 s ± 0.02  −57.8 %        −1.11 s  [−1.20, −1.02]
101                          > 99.9 %       ← winner
pooled        1.10 s ± 0.03  −42.7 %        −0.82 s  [−0.92, −0.72]
107                          97.3 %         better

metric                 variant        vs control
control                value          p           95 % interval
total_time p50 ↓       combined       –           –  –
1.90 s                 0.80 s         –
                       pooled         –           –  –
                       1.05 s         –
total_time p95 ↓       combined       −58.7 %     −1.59 s  [−1.70, −1.40]
2.71 s                 1.12 s         < 0.001     better
                       pooled         –           –  –
                       1.50 s         –
found_all ↑ guardrail  combined       +1.0 %      +1.0 pp  [−0.9, 2.9]
99.0 % ± 1.0           100.0 % ± 0.0  0.310       intact
                       pooled         −9.1 %      −9.0 pp  [−15.0, −3.0]
                       90.0 % ± 2.9   0.004       BROKEN
Ship combined: total_time −57.8 % (p < 0.001), guardrail found_all intact.
`sortition promote search-strategy`"""


def test_whole_table() -> None:
    assert text(analysis_table(make_result(), make_experiment())) == EXPECTED


def test_a_narrow_terminal_gets_cells_in_two_lines_instead_of_broken_ones() -> None:
    assert text(analysis_table(make_result(), make_experiment()), 80) == NARROW
    assert "\n".join(text(analysis_table(make_result(), make_experiment()), 100).splitlines()[:5]) == "\n".join(
        EXPECTED.splitlines()[:5]
    ), "from 100 columns on the variants have the form of the documentation"


def test_a_guardrail_that_nobody_can_judge_is_not_shown_as_broken() -> None:
    result = make_result()
    for guardrail in result.guardrails:
        guardrail.intact, guardrail.unknown, guardrail.detail = False, True, "is unknown: no outcomes yet"
    shown = text(analysis_table(result, make_experiment()))
    assert shown.count("unknown: no outcomes yet") == 2
    assert "BROKEN" not in shown


def test_what_cannot_be_known_says_why_once() -> None:
    result = make_result()
    for compared in result.comparisons[:3]:
        compared.reason = "too few observations"
    lines = text(analysis_table(result, make_experiment())).splitlines()
    assert lines[-2] == "– total_time, total_time p95: too few observations"
    result.units = 0
    assert "too few" not in text(analysis_table(result, make_experiment())), "nobody expects figures from nothing"


def test_units_of_measurement_are_not_markup() -> None:
    experiment = make_experiment()
    experiment.spec.metrics[0].unit = "[red]"
    assert "1.92 [red] ± 0.04" in text(analysis_table(make_result(), experiment))


def test_only_figures_that_are_known_are_shown() -> None:
    result = make_result()
    for each in result.metrics:
        for name in ("mean", "se"):
            each.ClearField(name)
        del each.quantiles[:]
    del result.comparisons[:]
    result.winner, result.units = "", 0
    lines = text(analysis_table(result, make_experiment())).splitlines()
    assert lines[2:5] == [
        "sequential ◆       104  –",
        "combined           101  –           –           –  –              –",
        "pooled             107  –           –           –  –              –",
    ]


def test_significantly_worse_is_said_in_words() -> None:
    result = make_result()
    result.winner = ""
    for compared in result.comparisons:
        compared.improvement = False
    lines = text(analysis_table(result, make_experiment())).splitlines()
    assert lines[3].endswith("worse")
    assert lines[4].endswith("worse")


def test_nothing_is_lost_in_a_narrow_terminal() -> None:
    def letters(width: int) -> list[str]:
        return sorted(text(analysis_table(make_result(), make_experiment()), width).replace(" ", "").replace("\n", ""))

    assert letters(50) == letters(200)


def test_bad_split_shows_its_p_value() -> None:
    result = make_result()
    result.sample_ratio.verdict, result.sample_ratio.p_value = "red", 1e-5
    assert text(analysis_table(result, make_experiment())).splitlines()[0].endswith("SRM red (p < 0.001)")


def test_warnings_come_before_the_advice() -> None:
    result = make_result()
    result.warnings.append("total_time of pooled: 3 values refused")
    assert (
        text(analysis_table(result, make_experiment())).splitlines()[-2] == "! total_time of pooled: 3 values refused"
    )


def test_an_ended_experiment_has_no_next_command() -> None:
    experiment = make_experiment()
    # The stored analysis was made before the end; where the experiment stands now is what counts.
    experiment.status = STATUS.EXPERIMENT_STATUS_COMPLETED
    lines = text(analysis_table(make_result(), experiment)).splitlines()
    assert lines[0].startswith("search-strategy   completed   312")
    assert "`" not in lines[-1]


def test_the_next_command_names_the_organization() -> None:
    experiment = make_experiment()
    experiment.spec.organization = "acme"
    shown = text(analysis_table(make_result(), experiment), 200)
    assert shown.endswith("`sortition promote search-strategy --organization acme`")


def test_other_peoples_words_do_not_steer_the_terminal() -> None:
    result = make_result()
    result.recommendation = "\x1b[2JShip [red]it[/red]"
    assert "�[2JShip [red]it[/red]" in text(analysis_table(result, make_experiment()))
