"""State directories that released versions left, and what is in them. `tools/golden.py` makes them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from sortition.state import StateDirectory

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(path.parent.name for path in GOLDEN.glob("*/state.tar.xz"))


def unpack(version: str, target: Path) -> Path:
    """Puts a copy of the state directory of `version` to `target`."""
    target.mkdir(mode=0o700)
    with tarfile.open(GOLDEN / version / "state.tar.xz") as tar:
        for member in tar.getmembers():
            # Plain files and directories, by plain names: `extractall` warns about what else an archive may hold.
            path = target / member.name
            if member.isdir():
                path.mkdir(mode=0o700)
            else:
                content = tar.extractfile(member)
                assert content is not None
                path.write_bytes(content.read())
                path.chmod(0o600)
    if (target / "identity").exists():
        # Every copy is refused until somebody says that it is the one that counts.
        StateDirectory.adopt(target)
    return target


def expected(version: str) -> dict[str, Any]:
    """Returns what is known of it from how it was made."""
    found: dict[str, Any] = json.loads((GOLDEN / version / "expected.json").read_text())
    return found
