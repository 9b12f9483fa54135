"""An installation checks itself: does it draw lots fairly, compute rightly, record exactly, on this machine?"""

from sortition.check.finding import Finding, State
from sortition.check.run import AREAS, check

__all__ = ["AREAS", "Finding", "State", "check"]
