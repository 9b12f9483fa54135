"""Rules that make prompts of a prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["PROMPT_RULES"]

# Each step says what the ones before it say, and one thing more.
_SPECIFICITY: Final = (
    "Answer exactly what is asked, and nothing else.",
    "Give names, numbers and units instead of words such as many, soon or large, and state every assumption.",
    "Before you answer, list the requirements; afterwards check each of them, and say which is not met.",
)
_CONTEXT: Final = {
    "role": "You are an experienced specialist in the field that the following task belongs to.",
    "purpose": "Your answer is used as it is, without anybody editing it first.",
    "limits": "You know only what is written here. Where something is missing, say what, instead of guessing.",
}
_TONE: Final = {
    "concise": "Write as briefly as the task allows: no introduction, no repetition, no summary.",
    "formal": "Write in a formal and neutral tone.",
    "friendly": "Write in a friendly tone, as to a colleague, and address the reader directly.",
}
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")

Made = Iterator[tuple[str, str, str]]


def _specificity(prompt: str) -> Made:
    for step in range(1, len(_SPECIFICITY) + 1):
        added = " ".join(_SPECIFICITY[:step])
        yield f"specificity-{step}", f"step {step} of {len(_SPECIFICITY)}: appended {added!r}", f"{prompt}\n\n{added}"


def _structure(prompt: str) -> Made:
    sections = f"# Task\n{prompt}\n\n# Procedure\n1. Understand.\n2. Plan.\n3. Carry out.\n4. Check.\n\n# Answer"
    yield "structure-sections", "the prompt under the heading Task, followed by Procedure and Answer", sections
    sentences = [each for line in prompt.splitlines() for each in _SENTENCE.split(line.strip()) if each]
    if len(sentences) > 1:
        listed = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
        yield "structure-list", "each sentence of the prompt as an item of a numbered list", listed


def _context(prompt: str) -> Made:
    for name, text in _CONTEXT.items():
        yield f"context-{name}", f"put in front: {text!r}", f"{text}\n\n{prompt}"


def _tone(prompt: str) -> Made:
    for name, text in _TONE.items():
        yield f"tone-{name}", f"appended {text!r}", f"{prompt}\n\n{text}"


PROMPT_RULES: Final[dict[str, Callable[[str], Made]]] = {
    "specificity": _specificity,
    "structure": _structure,
    "context": _context,
    "tone": _tone,
}
"""The rules by name; each yields variants as name, rule in words, and prompt."""
