"""Makes an experiment of a base and the variants that rules make of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sortition.cli.generate.variation import Variation
from sortition.cli.new.kinds import ExperimentKind
from sortition.errors import InvalidArgument
from sortition.model import ExperimentSpec, validate
from sortition.model.canonical import JsonObject
from sortition.model.names import MAX_VARIANTS

__all__ = ["experiment", "shares"]

_BASIS_POINTS: Final = 10_000
# Both are recorded by every client, and by `sortition exec`, without a line of code.
_METRICS: Final[list[dict[str, Any]]] = [
    {"name": "success", "kind": "binary", "goal": "maximize", "role": "primary"},
    {"name": "duration", "kind": "duration", "unit": "s", "goal": "minimize"},
]


def experiment(
    kind: ExperimentKind, key: str, subject: str, base: JsonObject, variations: Sequence[Variation]
) -> ExperimentSpec:
    """Returns an experiment whose control is the base.

    Args:
        kind: What is experimented on.
        key: The experiment's key.
        subject: The subject's id.
        base: The control's configuration.
        variations: The treatments.

    Raises:
        InvalidArgument: There are none, or too many, or the specification has other faults; lists every one.
    """
    count = len(variations) + 1
    if not 2 <= count <= MAX_VARIANTS:
        text = f"make {len(variations)} variants besides the base; there must be 1 to {MAX_VARIANTS - 1}"
        raise InvalidArgument.of([("rules", text)])
    weights = shares(count)
    variants: list[dict[str, Any]] = [
        {"name": "base", "weight": weights[0], "control": True, "config": base, "description": "The base."}
    ]
    variants += [
        {"name": each.name, "weight": weight, "config": each.config, "description": f"Rule {each.rule}"}
        for each, weight in zip(variations, weights[1:], strict=True)
    ]
    return validate(
        ExperimentSpec,
        {
            "key": key,
            "subject": {"kind": kind.value, "id": subject},
            "metrics": _METRICS,
            "variants": variants,
        },
    )


def shares(count: int) -> list[str]:
    """Returns equal shares in percent that sum to 100 exactly; what cannot be divided goes to the first ones."""
    each, left = divmod(_BASIS_POINTS, count)
    points = [each + (index < left) for index in range(count)]
    return [f"{share // 100}.{share % 100:02}" for share in points]
