"""What ``generate --model`` asks for: one variant for each rule and each instruction, as often as is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sortition.cli.generate.variation import Variation
from sortition.errors import InvalidArgument, Violation
from sortition.model.canonical import JsonObject

__all__ = ["Request", "written"]

# Each is a call that takes time and perhaps money.
_MAX_CALLS: Final = 16
_MAX_INSTRUCTION: Final = 2000


@dataclass(frozen=True)
class Request:
    """How variants are to be written.

    Attributes:
        model: The model's name.
        url: The base URL of its endpoint; that of the environment when empty.
        timeout_s: How long one answer may take.
        each: How many of each rule.
        seed: Of the first one; the next ones have the next.
        rules: The names of the rules.
        instructions: What else to follow, in the user's words.
    """

    model: str
    url: str
    timeout_s: float
    each: int
    seed: int
    rules: tuple[str, ...]
    instructions: tuple[str, ...]


def written(kind: str, base: JsonObject, request: Request) -> Iterator[Variation]:
    """Yields the variants that a model writes.

    Args:
        kind: What the base is.
        base: Its configuration.
        request: How.

    Raises:
        InvalidArgument: Too much is asked for, no endpoint is configured, or what the model wrote cannot be used.
        SortitionError: The model does not answer.
    """
    from sortition.cli.generate.model import Wanted, endpoint_from, model_variations
    from sortition.cli.generate.model.instructions import RULES
    from sortition.cli.group import say

    own = [text.strip() for text in request.instructions]
    wrong = [
        Violation("--instruction", f"must have 1 to {_MAX_INSTRUCTION} letters, but has {len(text)}")
        for text in own
        if not 1 <= len(text) <= _MAX_INSTRUCTION
    ]
    asked = [(name, name, RULES[kind][name]) for name in request.rules]
    asked += [(f"instruction-{number}", "instruction", text) for number, text in enumerate(own, start=1)]
    if (calls := len(asked) * request.each) > _MAX_CALLS:
        text = f"times {len(asked)} rules and instructions is {calls}; a model is asked for {_MAX_CALLS} at most"
        wrong.append(Violation("--variants", text))
    if wrong:
        raise InvalidArgument.of(wrong)
    endpoint = endpoint_from(request.model, request.timeout_s, request.url)
    wanted = [
        Wanted(f"{name}-{number}" if request.each > 1 else name, rule, text, request.seed + number - 1)
        for name, rule, text in asked
        for number in range(1, request.each + 1)
    ]
    yield from model_variations(endpoint, kind, base, wanted, say)
