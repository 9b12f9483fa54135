"""Writes the sample of `sortition report`: docs/report.html, from twelve days of outcomes that are drawn, not measured.

python tools/sample_report.py              write it
python tools/sample_report.py --picture    and draw docs/report.png of its beginning, with the chromium of this machine
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from sortition.api.plots import full_report_to_proto
from sortition.core import Engine
from sortition.lifecycle import Actor, Experiments, SnapshotKeeper
from sortition.model.file import parse_experiment
from sortition.report import compose, html_page
from sortition.rpc.v1 import recording_pb2
from sortition.store import BatchWriter, Database, sqlite_url

ROOT = Path(__file__).resolve().parent.parent
KEY = "search-strategy"
EXPERIMENT = f"""\
experiment: {KEY}
subject: {{kind: agent, id: search-agent}}
hypothesis: One pass with all patterns beats one pass per pattern.
dimensions: {{device: [mobile, desktop]}}
metrics:
  total_time:   {{kind: duration, unit: s, goal: minimize, role: primary}}
  found_all:    {{kind: binary, goal: maximize, role: guardrail, margin: 0.02}}
  satisfaction: {{kind: continuous, goal: maximize}}
variants:
  sequential: {{weight: 34, control: true, config: {{strategy: sequential}}}}
  combined:   {{weight: 33, config: {{strategy: combined}}}}
  pooled:     {{weight: 33, config: {{strategy: pooled, workers: 2}}}}
decision: {{min_samples: 1500, mde: 0.05}}
"""
START = datetime(2026, 3, 2, 8, tzinfo=timezone.utc)
DAYS, UNITS_PER_DAY = 12, 180
# What is true of each variant: the median time in seconds, the rate of complete answers, the mean satisfaction.
TRUTH = {"sequential": (1.9, 0.96, 3.9), "combined": (1.66, 0.962, 3.95), "pooled": (1.88, 0.935, 3.9)}
# So many of its own pixels, which is what fits in a document without being scaled.
_WIDTH, _HEIGHT = 1000, 1500
_DRAWING_S = 60


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", action="store_true", help="draw docs/report.png too")
    picture = parser.parse_args().picture
    page = ROOT / "docs" / "report.html"
    with tempfile.TemporaryDirectory() as scratch:
        page.write_text(report(Path(scratch)), encoding="utf-8")
    print(f"wrote {page.relative_to(ROOT)}: {page.stat().st_size:,} bytes")
    if picture:
        draw(page, ROOT / "docs" / "report.png")


def report(directory: Path) -> str:
    """Runs the experiment without a server, on a clock that is moved, and returns its report."""
    db, clock, random = Database.open(sqlite_url(directory / "sample.db")), Clock(), np.random.default_rng(7)
    try:
        engine = Engine(unit_key=db.installation_key)
        keeper = SnapshotKeeper(db, engine, directory / "snapshot.pb")
        writer = BatchWriter(db, "sample")
        engine.resume(writer.high_water)

        def flush() -> None:
            while (batch := engine.seal()) is not None:
                writer.apply(batch)
                engine.commit(batch.number)

        def follow() -> None:
            keeper.refresh()

        # The id decides who is assigned to what, so it is always the same.
        experiments = Experiments(db, flush=flush, changed=follow, now=clock, new_id=lambda: "sample")
        actor = Actor("ada", "to see")
        experiments.create(parse_experiment(EXPERIMENT), actor)
        experiments.start("default", KEY, actor)
        for day in range(DAYS):
            clock.now = START + timedelta(days=day)
            for number in range(UNITS_PER_DAY):
                use(engine, clock, f"session-{day}-{number}", random)
            flush()
        clock.now += timedelta(hours=6)
        return html_page(compose(full_report_to_proto(experiments.full_report("default", KEY))))
    finally:
        db.close()


def use(engine: Engine, clock: Clock, unit: str, random: np.random.Generator) -> None:
    """One session: is assigned, and says how it went."""
    variant = engine.assign_unit(KEY, unit, "default", now_ms=clock.now_ms).variant
    assert variant is not None
    time, found, satisfied = TRUTH[variant]
    device = str(random.choice(["mobile", "desktop", "television"], p=[0.55, 0.4, 0.05]))
    outcome = recording_pb2.Outcome(experiment=KEY, organization="default", unit=unit, variant=variant)
    outcome.dimensions["device"] = device
    seconds = time * float(random.lognormal(0, 0.35)) * (1.15 if device == "mobile" else 1.0)
    outcome.observations.add(metric="total_time", number=seconds)
    outcome.observations.add(metric="found_all", flag=bool(random.random() < found))
    outcome.observations.add(metric="satisfaction", number=float(np.clip(random.normal(satisfied, 0.8), 1, 5)))
    engine.record(recording_pb2.RecordRequest(outcome=outcome).SerializeToString(), clock.now_ms)


def draw(page: Path, picture: Path) -> None:
    """Draws the beginning of a page."""
    browser = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("needs chromium; the page is written")
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        size = f"--window-size={_WIDTH},{_HEIGHT}"
        command = [browser, *options, size, f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=_DRAWING_S)
    print(f"drew {picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
