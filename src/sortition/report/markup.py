"""Elements of HTML and SVG. Every text is escaped when it is written; there is no way around it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sortition.render.words import clean

__all__ = ["Element", "Node", "element", "number", "write"]

# They have no end tag.
_VOID = frozenset({"meta", "br", "link", "hr"})
# What may stand in neither HTML nor XML, whatever it is written as.
_FORBIDDEN = re.compile(r"[\ufffe\uffff\ud800-\udfff]")
_NAME = re.compile(r"[a-z][a-zA-Z0-9-]*\Z")


@dataclass(frozen=True)
class Element:
    """One element: its tag, its attributes in order, and what is in it."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Node, ...]


Node = Element | str
"""An element, or a text as it is to be read."""


def element(tag: str, *children: Node | None, **attributes: str | float | bool | None) -> Element:
    """Makes an element.

    Args:
        tag: Its name.
        children: What is in it; None is left out.
        attributes: Its attributes. ``class_`` is ``class``, ``aria_label`` is ``aria-label``; numbers are shortened,
            None and False are left out, True is an attribute without a value of its own.
    """
    named = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        text = name if value is True else number(value) if isinstance(value, (int, float)) else value
        named.append((name, text))
    assert all(_NAME.match(name) for name in (tag, *(name for name, _ in named))), "names are never of others"
    return Element(tag, tuple(named), tuple(child for child in children if child is not None))


def number(value: float) -> str:
    """Writes a coordinate with two decimals at most: ``12.5``."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def write(node: Node) -> str:
    """Writes an element with everything in it, as HTML that is also well-formed XML."""
    return "".join(_pieces(node))


def _pieces(node: Node) -> Iterator[str]:
    if isinstance(node, str):
        yield html.escape(_harmless(node), quote=False)
        return
    attributes = "".join(f' {name}="{html.escape(_harmless(value))}"' for name, value in node.attributes)
    if node.tag in _VOID:
        yield f"<{node.tag}{attributes}/>"
        return
    yield f"<{node.tag}{attributes}>"
    for child in node.children:
        yield from _pieces(child)
    yield f"</{node.tag}>"


def _harmless(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", clean(text))
