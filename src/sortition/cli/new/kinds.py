"""The kinds of experiments that there are templates and generators for."""

from __future__ import annotations

from enum import Enum

__all__ = ["ExperimentKind"]


class ExperimentKind(str, Enum):
    """What is experimented on."""

    PROMPT = "prompt"
    WORKFLOW = "workflow"
    CONFIG = "config"
