"""A whole report on one experiment, for a browser, a page of Markdown or a terminal.

What a report says is put together once (`content`), as parts without a form (`document`); each writer gives them one.
"""

from __future__ import annotations

from sortition.report.content import compose
from sortition.report.html import html_page
from sortition.report.markdown import markdown_text
from sortition.report.plain import plain_view

__all__ = ["compose", "html_page", "markdown_text", "plain_view"]
