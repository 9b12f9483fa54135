"""Replaces a file, and is killed before one of the steps that this takes: a program of its own.

    python -m file_crashes ROOT PATH STEP < the new content

A step is a call that changes something on the disk; with 0 for STEP it is not killed, and says how many there are.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sortition.subjectfiles.place import digest, place
from sortition.subjectfiles.swap import swap

STEPS = ("mkdir", "open", "write", "truncate", "fchmod", "fsync", "replace", "chmod", "unlink")


class Steps:
    """Counts calls, and kills this process before one of them."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.seen = 0
        for module, name in (*((os, name) for name in STEPS), (tempfile, "mkstemp")):
            setattr(module, name, self.counted(getattr(module, name)))

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            self.seen += 1
            if self.seen == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return counting


def main() -> None:
    """Does it."""
    root, path, step = sys.argv[1:]
    content = sys.stdin.buffer.read()
    found = place(Path(root), path)
    before = digest(found.read()[0])
    steps = Steps(int(step))
    swap(found, before, content)
    print(steps.seen)


if __name__ == "__main__":
    main()
