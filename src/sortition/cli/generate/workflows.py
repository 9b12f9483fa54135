"""Rules that make workflows of a workflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sortition.errors import InvalidArgument
from sortition.model.canonical import JsonObject, merge

__all__ = ["WORKFLOW_RULES"]

_WORKERS: Final = 4
_BATCH: Final = 8
_RETRIES: Final = 2

Made = Iterator[tuple[str, str, JsonObject]]


def _execution(base: JsonObject) -> Made:
    names = list(_steps(base))
    modes: dict[str, tuple[str, JsonObject]] = {
        "sequential": ("one step after the other", {}),
        "parallel": (f"steps that wait for nothing unfinished run at once, {_WORKERS} at most", {"workers": _WORKERS}),
        "batched": (f"runs are collected, and each step takes {_BATCH} of them at once", {"batch_size": _BATCH}),
    }
    for mode, (rule, more) in modes.items():
        stages: JsonObject = {}
        if names and mode == "parallel":
            stages["stages"] = [list(stage) for stage in _stages(base)]
        elif names:
            stages["stages"] = [[name] for stage in _stages(base) for name in stage]
        yield f"execution-{mode}", rule, merge(base, {"execution": {"mode": mode, **more, **stages}})


def _coordination(base: JsonObject) -> Made:
    for mode, rule in (
        ("handoff", "each step hands its result to the next one"),
        ("supervisor", "one supervisor hands out every step and takes every result"),
        ("shared", "steps read and write one shared memory"),
    ):
        yield f"coordination-{mode}", rule, merge(base, {"coordination": {"mode": mode}})


def _optimization(base: JsonObject) -> Made:
    for name, rule, change in (
        ("cache", "results of equal inputs are used again", {"cache": True}),
        ("retry", f"a step that fails is tried {_RETRIES} more times", {"retries": _RETRIES}),
        ("stop-early", "the run ends as soon as a step's result will do", {"stop_early": True}),
    ):
        yield f"optimization-{name}", rule, merge(base, {"optimization": dict[str, Any](change)})


def _steps(base: JsonObject) -> dict[str, list[str]]:
    """Returns what each step waits for: what it names in ``needs``, in declared order.

    Raises:
        InvalidArgument: A step has no name, or the name of another.
    """
    declared = base.get("steps", [])
    found: dict[str, list[str]] = {}
    for index, step in enumerate(declared if isinstance(declared, list) else []):
        fields: dict[str, Any] = step if isinstance(step, dict) else {"name": step}
        name, needs = fields.get("name"), fields.get("needs", [])
        if not isinstance(name, str) or name in found or not isinstance(needs, list):
            text = "must be a name that no other step has, or a mapping with such a name and perhaps a list of needs"
            raise InvalidArgument.of([(f"steps[{index}]", text)])
        found[name] = [str(each) for each in needs]
    return found


def _stages(base: JsonObject) -> list[list[str]]:
    """Returns the steps in stages, so that each waits for those of earlier stages only.

    Raises:
        InvalidArgument: Steps wait for each other, or for one that is not there.
    """
    left = _steps(base)
    stages: list[list[str]] = []
    done: set[str] = set()
    while left:
        ready = [name for name, needs in left.items() if done.issuperset(needs)]
        if not ready:
            text = f"{', '.join(left)} wait for each other, or for a step that is not there; mend their needs"
            raise InvalidArgument.of([("steps", text)])
        stages.append(ready)
        done.update(ready)
        for name in ready:
            del left[name]
    return stages


WORKFLOW_RULES: Final[dict[str, Callable[[JsonObject], Made]]] = {
    "execution": _execution,
    "coordination": _coordination,
    "optimization": _optimization,
}
"""The rules by name; each yields variants as name, rule in words, and configuration."""
