"""A sidecar that is killed while it acts: whatever step it was at, the act is done once and whole in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import automatic_crashes

TIMEOUT_S = 240
# Fewer steps would mean that nothing was cut off.
FEWEST_KILLS = 15
EXPECTED = {
    "promote": (["completed", "new", 2], "complete", "experiment.auto_promote"),
    "rollback": (["completed", "", 2], "complete", "experiment.auto_rollback"),
    "hold": (["paused", "", 0], "hold", "experiment.auto_hold"),
}


@pytest.mark.parametrize("act", EXPECTED)
def test_every_step_can_be_the_last_one(act: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, automatic_crashes.__file__, str(tmp_path), act],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["killed"]) >= FEWEST_KILLS
    experiment, kind, action = EXPECTED[act]
    final = found["ended"][-1]
    assert final["experiment"][0][:3] == experiment
    assert [each[0] for each in final["decisions"]] == [kind]
    assert json.loads(final["decisions"][0][2])["act"] == act
    assert [row[0] for row in final["audit"]].count(action) == 1
    assert final["held"] == []
    for ended in found["ended"]:
        assert ended == final, "however it was cut off, it ends the same"
    stored = [{**each, "held": []} for each in found["killed"]]
    before, after = {**found["before"], "held": []}, {**final, "held": []}
    assert all(each in (before, after) for each in stored), "nothing is ever stored by halves"
    assert before in stored
    assert after in stored, "it was killed behind the commit too"
