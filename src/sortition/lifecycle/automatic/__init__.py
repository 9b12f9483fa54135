"""Automatic mode: experiments that end by themselves, as their policies say."""

from __future__ import annotations

from sortition.lifecycle.automatic.acts import Automatic, Step
from sortition.lifecycle.automatic.judge import Act, Judgement
from sortition.lifecycle.automatic.leader import Leader
from sortition.lifecycle.automatic.switch import KillSwitch

__all__ = ["Act", "Automatic", "Judgement", "KillSwitch", "Leader", "Step"]
