"""Where to look after the demo."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["next_steps", "own_command"]


def next_steps(experiment: Path, *, state: Path | None = None, pid: int = 0) -> list[str]:
    """Returns lines that say where to look next.

    Args:
        experiment: The demo's experiment file.
        state: The state directory of the sidecar that goes on running; None when it has ended.
        pid: That sidecar's process.
    """
    run = own_command()
    lines = [
        "Where to look next",
        f"  the experiment        {experiment}",
        f"  the agent             {experiment.with_name('agent.py')}",
    ]
    if state is None:
        return [
            *lines,
            f"  with a live sidecar   {run} demo --keep",
            f"  your own              {run} serve",
            f"  and beside it         {run} start my-experiment.yaml",
        ]
    return [
        *lines,
        f"  the sidecar           export SORTITION_STATE_DIR={shlex.quote(str(state))}",
        f"                        {run} analyze search-strategy",
        f"                        {run} series search-strategy --metric query_latency",
        f"                        {run} subjects versions search-agent",
        f"  stop it               kill {pid}",
    ]


def own_command() -> str:
    """Returns how to run this installation from a shell, whether or not it is the one on the PATH."""
    # Scripts are installed beside the interpreter of a virtual environment.
    script = Path(sys.executable).with_name("sortition")
    found = shutil.which("sortition")
    if not os.access(script, os.X_OK):
        return f"{shlex.quote(sys.executable)} -m sortition"
    return "sortition" if found and script.samefile(found) else shlex.quote(str(script))
