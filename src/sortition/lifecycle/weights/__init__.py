"""Weights of running experiments: changed with as few moves as can be, so that whoever was exposed stays."""

from __future__ import annotations

from sortition.lifecycle.weights.reweighting import Reweighted, announce, reweight
from sortition.lifecycle.weights.switcher import Switcher

__all__ = ["Reweighted", "Switcher", "announce", "reweight"]
