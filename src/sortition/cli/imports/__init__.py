"""``import``: outcomes of an experiment whose variants were assigned elsewhere.

The file is read twice: once to check every row (`survey`), so that a bad one changes nothing; once to send (`sending`).
"""

from sortition.cli.imports.command import register

__all__ = ["register"]
