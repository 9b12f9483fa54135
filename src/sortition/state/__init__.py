"""What a sidecar keeps on disk: with it, it answers at once after a start, and while its database is away.

Nothing here imports what takes long.
"""

from __future__ import annotations

from sortition.state.directory import StateDirectory
from sortition.state.identity import Identity

__all__ = ["Identity", "StateDirectory"]
