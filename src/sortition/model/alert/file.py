"""The file of rules: what a site adds to the usual ones, changes about them, or takes away.

::

    false_alerts = 0.01

    [rules.data-quality]            # the name of a usual rule: only what is said here is changed
    severity = "critical"

    [rules.slow-checkout]           # any other name: a rule of one's own
    trigger = "regression"
    threshold = 0.05
    metrics = ["latency*"]
    experiments = ["checkout-*"]
    hold_s = 600

    [rules.anomalous-day]
    enabled = false

It is TOML, or YAML where its name ends in .yaml or .yml.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sortition.errors import SpecError, Violation
from sortition.model.alert.rule import Rules
from sortition.model.alert.usual import USUAL
from sortition.model.base import describe
from sortition.model.yaml_reader import MAX_BYTES, read_yaml_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["load_rules"]

_YAML = (".yaml", ".yml")


def load_rules(path: Path) -> Rules:
    """Reads the file of rules, and returns them together with the usual ones.

    Raises:
        SpecError: It cannot be read, or holds something else; lists every violation.
    """
    found: list[Violation] = []
    if path.suffix.lower() in _YAML:
        root, found = read_yaml_file(path)
        raw = root.plain()
    else:
        raw = _toml(path)
    if not isinstance(raw, dict):
        raise SpecError(f"{path} holds no rules", [*found, Violation("", "must be a mapping with rules in it")])
    merged, names, wrong = _merged(raw)
    found += wrong
    rules: Rules | None = None
    try:
        rules = Rules.model_validate(merged)
    except ValidationError as error:
        found += (Violation(_path(detail["loc"], names), describe(detail)) for detail in error.errors())
    if rules is None or found:
        raise SpecError(f"{path} holds rules that cannot be used", found)
    return rules


def _toml(path: Path) -> Any:
    message = f"{path} holds no rules"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SpecError(message, [Violation("", f"is larger than {MAX_BYTES:,} bytes, the limit")])
        return tomllib.loads(content.decode())
    except OSError as error:
        raise SpecError(message, [Violation("", f"cannot be read ({error.strerror}); name another file")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(message, [Violation("", f"is not valid TOML: {error}")]) from error


def _merged(raw: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[Violation]]:
    """Returns what `Rules` takes, the names of its rules, and what no rule could be."""
    given = raw.get("rules", {})
    if not isinstance(given, dict):
        return {**raw, "rules": []}, [], [Violation("rules", "must be a mapping from name to rule")]
    wrong = [Violation(f"rules.{name}", "must be a mapping") for name, rule in given.items() if not _is_rule(rule)]
    wrong += (
        Violation(f"rules.{name}.name", "is said by the key already; remove it")
        for name, rule in given.items()
        if _is_rule(rule) and "name" in rule
    )
    rules: dict[str, dict[str, Any]] = {rule.name: rule.model_dump() for rule in USUAL}
    for name, rule in given.items():
        if _is_rule(rule):
            before = rules.get(name, {})
            if rule.get("trigger", before.get("trigger")) != before.get("trigger"):
                # A rule about something else shares nothing but the name.
                before = {}
            rules[name] = {**before, **rule, "name": name}
    return {**raw, "rules": list(rules.values())}, list(rules), wrong


def _is_rule(value: object) -> bool:
    return isinstance(value, dict)


def _path(where: tuple[int | str, ...], names: list[str]) -> str:
    """Returns a place in the file for a place in `Rules`."""
    match where:
        case ("rules", int(index), *rest):
            steps = ["rules", names[index], *(str(step) for step in rest)]
        case _:
            steps = [str(step) for step in where]
    return ".".join(steps)
