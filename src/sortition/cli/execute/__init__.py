"""``exec``: runs any program under its assigned variant, and records how it went."""

from __future__ import annotations

from sortition.cli.execute.command import register

__all__ = ["register"]
