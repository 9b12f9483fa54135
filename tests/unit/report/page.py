"""HTML pages as trees, for tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from sortition.report import compose, html_page
from sortition.rpc.v1.analysis_pb2 import FullReport

__all__ = ["Tree", "page", "text_of", "tree_of"]

Tree = ET.Element


def page(full: FullReport) -> str:
    return html_page(compose(full))


def tree_of(html: str) -> Tree:
    """Returns a page as a tree. What is not well-formed raises."""
    doctype, _, rest = html.partition("\n")
    assert doctype == "<!DOCTYPE html>"
    return ET.fromstring(rest)


def text_of(tree: Tree) -> str:
    return "".join(tree.itertext())
