"""Where `make oracles` puts the engines that sortition is compared with."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["PYTHON"]

PYTHON = Path(
    os.environ.get("SORTITION_ORACLES") or Path(__file__).resolve().parents[1] / ".venv" / "oracles" / "bin" / "python"
)
"""The interpreter of their environment; it need not exist."""
