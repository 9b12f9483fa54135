"""The composition root: the only place where the parts of a sidecar are wired together.

Two stages: `first` answers from what was kept, and `sidecar` is everything.
"""

from __future__ import annotations

from sortition.service.run import serve

__all__ = ["serve"]
