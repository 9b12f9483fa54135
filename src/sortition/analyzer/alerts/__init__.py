"""What the rules of alerts say about an experiment's data.

A fact (so many units, so many days) is compared with its threshold. Whatever chance could bring about has to be shown
by a bound that holds at every look, at the rule's share of one level for all rules, metrics and variants together; it
is over once the estimate itself says so, which is much more than the bound does, so that nothing flutters.
"""

from __future__ import annotations

from sortition.analyzer.alerts.read import read_rules
from sortition.analyzer.alerts.reading import Reading

__all__ = ["Reading", "read_rules"]
