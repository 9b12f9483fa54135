"""``watch``: experiments, live."""

from __future__ import annotations

from sortition.cli.watch.command import register

__all__ = ["register"]
