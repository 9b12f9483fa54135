"""Asks a model for variants of a base, one at a time, and takes only what is fit to be one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sortition.cli.generate.model.chat import Message, ask
from sortition.cli.generate.model.checks import violations
from sortition.cli.generate.model.endpoint import Endpoint
from sortition.cli.generate.model.instructions import SYSTEM, question
from sortition.cli.generate.variation import Variation
from sortition.errors import InvalidArgument, Violation
from sortition.model.canonical import JsonObject, JsonValue, canonical_json

__all__ = ["Wanted", "model_variations"]

# One answer, and one more after being told what is wrong with it.
_TRIES: Final = 2


@dataclass(frozen=True)
class Wanted:
    """A variant that is wanted.

    Attributes:
        name: What it will be called.
        rule: The rule's name.
        instruction: What the model is to follow, in words.
        seed: Makes the same answer come again.
    """

    name: str
    rule: str
    instruction: str
    seed: int


def model_variations(
    endpoint: Endpoint, kind: str, base: JsonObject, wanted: list[Wanted], tell: Callable[[str], None]
) -> Iterator[Variation]:
    """Yields one variant for each that is wanted.

    Args:
        endpoint: Where the model is.
        kind: What the base is: "prompt", "workflow" or "config".
        base: The base's configuration.
        wanted: What to ask for.
        tell: Takes what the user should know.

    Raises:
        InvalidArgument: A model's answer is not fit to be a variant, and neither is its second one.
        SortitionError: There is no answer.
    """
    told: set[str] = set()
    taken = {canonical_json(base): "the base"}
    for each in wanted:
        made, left_out = _made(endpoint, kind, base, each, taken)
        taken[canonical_json(made)] = each.name
        for name in sorted(left_out - told):
            told.add(name)
            tell(f"the endpoint does not know {name}: it is left out")
        by = f"written by {endpoint.model}" + ("" if "seed" in left_out else f" with seed {each.seed}")
        yield Variation(each.name, f"{each.rule}: {each.instruction} ({by})", made)


def _made(
    endpoint: Endpoint, kind: str, base: JsonObject, wanted: Wanted, taken: dict[bytes, str]
) -> tuple[JsonObject, frozenset[str]]:
    messages: list[Message] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question(kind, base, wanted.instruction)},
    ]
    wrong: list[Violation] = []
    for _ in range(_TRIES):
        answer, left_out = ask(endpoint, messages, wanted.seed)
        made, wrong = _read(answer, base, taken)
        if not wrong:
            assert isinstance(made, dict)
            return made, left_out
        listed = "\n".join(f"- {each}" for each in wrong[:20])
        messages += [
            {"role": "assistant", "content": answer[:100_000]},
            {"role": "user", "content": f"That cannot be used:\n{listed}\nAnswer again, as one JSON object."},
        ]
    raise InvalidArgument(
        f"what {endpoint.model} wrote for {wanted.name} cannot be used, twice; leave it out, or take another model",
        [Violation(f"answer.{each.field}" if each.field else "answer", each.description) for each in wrong],
    )


def _read(answer: str, base: JsonObject, taken: dict[bytes, str]) -> tuple[JsonValue, list[Violation]]:
    """Returns the configuration in an answer, and what is wrong with it."""
    try:
        found = json.loads(_unfenced(answer), parse_constant=_no_constant)
        if not isinstance(found, dict) or "config" not in found:
            return None, [Violation("", 'must be a JSON object with the field "config"')]
        made: JsonValue = found["config"]
        wrong = violations(base, made)
        if not wrong and (other := taken.get(canonical_json(made))):
            wrong = [Violation("config", f"is the same as {other}; write another one")]
        return made, wrong
    except (ValueError, RecursionError) as error:
        return None, [Violation("", f"is not JSON: {str(error)[:200]}")]


def _unfenced(answer: str) -> str:
    """Returns an answer without the fence of Markdown that some models put around JSON."""
    text = answer.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") + 1 : -3]
    return text


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
