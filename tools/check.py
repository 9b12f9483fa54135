"""Runs every check that is not a test, all of them even when one fails, and says which did.

python tools/check.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable

CHECKS: dict[str, list[str]] = {
    "format of Python": [str(BIN / "ruff"), "format", "--check"],
    "lint of Python": [str(BIN / "ruff"), "check"],
    "types": [PYTHON, "-m", "mypy"],
    "layers": [str(BIN / "lint-imports"), "--no-cache"],
    "generated code": [PYTHON, "tools/gen_proto.py", "--check"],
    "stub against binary": [PYTHON, "-m", "mypy.stubtest", "sortition._core"],
    "format of Rust": ["cargo", "fmt", "--all", "--check"],
    "lint of Rust": [
        "cargo",
        "clippy",
        "--locked",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ],
}


def main() -> None:
    failed = []
    for name, command in CHECKS.items():
        print(f"── {name}: {' '.join(Path(part).name for part in command[:1])} {' '.join(command[1:])}", flush=True)
        # The runner's own closing line is on its output; nothing is hidden.
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    print(f"all {len(CHECKS)} checks passed")


if __name__ == "__main__":
    main()
