"""``generate``: variants of a base, made by rules."""

from __future__ import annotations

from sortition.cli.generate.command import register

__all__ = ["register"]
