"""How the page looks: in light and dark, on paper, and on narrow screens."""

from __future__ import annotations

from sortition.report.plots.marks import COLOURS

__all__ = ["DARK", "LIGHT", "stylesheet"]

LIGHT = {
    "page": "#ffffff",
    "panel": "#f4f6f8",
    "text": "#1b2027",
    "quiet": "#56606c",
    "line": "#d5dbe1",
    "link": "#0b57b8",
    "good": "#0a6b39",
    "bad": "#b3231b",
    "doubt": "#855300",
    "s0": "#5b6673",
    "s1": "#1a62c7",
    "s2": "#b04a00",
    "s3": "#0b7a57",
    "s4": "#8a3ab9",
    "s5": "#b01552",
    "s6": "#776200",
    "s7": "#007487",
}
"""The colours on white."""
DARK = {
    "page": "#14181d",
    "panel": "#1d232a",
    "text": "#e8ecf0",
    "quiet": "#a5b0bc",
    "line": "#38414b",
    "link": "#8ab8ff",
    "good": "#63d297",
    "bad": "#ff9088",
    "doubt": "#f0bd5c",
    "s0": "#aab5c1",
    "s1": "#7fb2ff",
    "s2": "#ffab66",
    "s3": "#5fd3a6",
    "s4": "#cf9bff",
    "s5": "#ff8fb5",
    "s6": "#dfca5e",
    "s7": "#5fd0e0",
}
"""The colours on black."""

_RULES = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:68rem;padding:1.5rem 1rem 4rem;background:var(--page);color:var(--text);
font:16px/1.5 system-ui,-apple-system,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
h1,h2,h3,p,li,td,th,dt,dd,figcaption,summary,pre{unicode-bidi:isolate;overflow-wrap:anywhere}
/* What is too wide scrolls; letters below each other cannot be read. */
td,th{overflow-wrap:normal}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.subtitle{color:var(--quiet);margin:0 0 1rem;white-space:pre-line}
.verdict{border:2px solid var(--quiet);border-left-width:.5rem;border-radius:.4rem;background:var(--panel);
padding:.9rem 1.1rem;margin:1.25rem 0}
.verdict h2{border:0;padding:0;margin:0 0 .25rem;font-size:1.35rem}
.verdict p{margin:.25rem 0}
.verdict.good{border-color:var(--good)}.verdict.good h2{color:var(--good)}
.verdict.bad{border-color:var(--bad)}.verdict.bad h2{color:var(--bad)}
.verdict.doubt{border-color:var(--doubt)}.verdict.doubt h2{color:var(--doubt)}
.verdict ul{margin:.75rem 0 0;padding-left:1.2rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;margin:1rem 0}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem 1.25rem;margin:1rem 0}
dt{color:var(--quiet);font-size:.85rem}
dd{margin:0;font-weight:600}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:.9em}
pre{background:var(--panel);padding:.75rem 1rem;border-radius:.4rem;white-space:pre-wrap}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;margin:.5rem 0 1rem;min-width:100%}
caption{text-align:left;color:var(--quiet);padding:.25rem 0}
th,td{padding:.35rem .65rem .35rem 0;text-align:left;vertical-align:top;max-width:26rem;
border-bottom:1px solid var(--line)}
td.long{min-width:14rem}
thead th{color:var(--quiet);font-weight:600}
th.figures,td.figures{text-align:right;white-space:nowrap}
.t-good{color:var(--good);fill:var(--good)}.t-bad{color:var(--bad);fill:var(--bad)}
.t-doubt{color:var(--doubt);fill:var(--doubt)}
td.t-good,td.t-bad,td.t-doubt{font-weight:600}
figure{margin:1rem 0}
figcaption{font-weight:600}
svg.plot{display:block;width:100%;min-width:34rem;height:auto}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--link)}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--quiet);font-size:.85rem}
.plot text{font:13px system-ui,-apple-system,sans-serif;fill:var(--text);stroke:none}
.plot text.tick,.plot text.axis,.plot text.note{fill:var(--quiet);font-size:12px}
.plot text.group{font-weight:600}
.plot text.t-good{fill:var(--good)}.plot text.t-bad{fill:var(--bad)}.plot text.t-doubt{fill:var(--doubt)}
.grid{stroke:var(--line);stroke-width:1}
.base{stroke:var(--quiet);stroke-width:1}
.zero{stroke:var(--text);stroke-width:1.5}
.threshold,.needed{stroke:var(--quiet);stroke-width:1.5;stroke-dasharray:5 4}
.now{stroke:var(--text);stroke-width:1.5}
.expected{stroke:var(--text);stroke-width:3}
.line,.thin,.always,.interval,.outer{fill:none}
.line{stroke-width:2}
.thin{stroke-width:1.5}
.always{stroke-width:1.5;stroke-dasharray:6 4}
.interval{stroke-width:3;stroke:var(--quiet)}
.interval.good{stroke:var(--good)}.interval.bad{stroke:var(--bad)}
.outer{stroke:var(--quiet);stroke-width:1.25}
.band{stroke:none;fill-opacity:.2}
.bar{fill:var(--quiet)}
.bar.t-good{fill:var(--good)}.bar.t-bad{fill:var(--bad)}.bar.t-doubt{fill:var(--doubt)}
.mark{stroke-width:2}
.mark.t-plain{stroke:var(--quiet);fill:var(--quiet)}
.mark.t-good{stroke:var(--good)}.mark.t-bad{stroke:var(--bad)}
.mark.hollow{fill:var(--page)}
.line.d1{stroke-dasharray:9 3}.line.d2{stroke-dasharray:3 3}.line.d3{stroke-dasharray:10 3 2 3}
@media print{body{max-width:none;font-size:12px}nav{display:none}section,figure,tr{break-inside:avoid}}
"""


def stylesheet() -> str:
    """Returns the whole style sheet. It names nothing that would have to be fetched."""
    series = "".join(
        f".s{place}{{stroke:var(--s{place})}}.band.s{place},.mark.s{place}{{fill:var(--s{place})}}\n"
        f".band.s{place}{{stroke:none}}\n"
        for place in range(COLOURS)
    )
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n"
    return f":root{{color-scheme:light dark;{_variables(LIGHT)}}}\n{dark}{_RULES.strip()}\n{series}"


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())
