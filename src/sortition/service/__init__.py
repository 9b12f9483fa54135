"""The composition root: the only place where the parts of a sidecar are wired together."""

from __future__ import annotations

from sortition.service.run import serve
from sortition.service.sidecar import Service

__all__ = ["Service", "serve"]
